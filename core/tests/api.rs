//! What the crate promises, tried from outside: each module is one promise.

#[cfg(test)]
mod api {
    mod access_tokens;
    mod easy_auth;
    mod effects;
    mod endpoints;
    mod keys;
    mod limits;
    mod metadata_paths;
    mod permissions;
    mod properties;
    mod remembered_tokens;
    mod secrecy;
    mod sign_in;
    mod support;
    mod token_endpoint;
    mod token_errors;
    mod tokens;
    mod unsound_tokens;
}
