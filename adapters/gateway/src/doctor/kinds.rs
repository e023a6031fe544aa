//! Every kind of finding, with its texts: what is wrong, what comes of it, who fails, what mends it.
//!
//! The ids are stable; `docs/doctor.md` lists them.

use super::finding::{Kind, PLAIN, Severity, Stage};

const GATEWAY: &str =
    "put mcp-entra in front of it (mcp-entra serve), which answers this as every client reads it";
const CHECK: &str =
    "az ad app show --id {client} | mcp-entra doctor {resource} --app-registration -";

macro_rules! kinds {
    ($($name:ident = $severity:ident $stage:ident $id:literal { $($field:ident: $value:expr),* $(,)? })+) => {
        $(pub(crate) static $name: Kind = Kind {
            id: $id,
            severity: Severity::$severity,
            stage: Stage::$stage,
            $($field: $value,)*
            ..PLAIN
        };)+

        /// All of them, in the order of the walk.
        #[cfg(test)]
        pub(crate) static KINDS: &[&Kind] = &[$(&$name),+];
    };
}

kinds! {
    UNREACHABLE = Fault Challenge "unreachable" {
        title: "The MCP server cannot be reached at {resource}: {reason}.",
        cause: "no client gets an answer either, and each shows it as a failed connection",
        mend: "start the server, or correct the host, the port and the scheme of the URL",
        breaks: &[("*", "cannot connect")],
    }
    INSECURE = Fault Challenge "insecure-url" {
        title: "The URL is http and not on this machine.",
        cause: "MCP clients send no token over plain http, and Entra takes no such redirect URI",
        mend: "serve it over https and give that URL",
        setting: "--resource",
        breaks: &[("*", "refuses the URL")],
    }
    ENDPOINT_NOT_FOUND = Fault Challenge "endpoint-not-found" {
        title: "Nothing is served at the path {path}: the answer is 404.",
        cause: "the URL has another path than the MCP endpoint, so no sign-in begins",
        mend: "give clients the URL that --resource names, or set --resource to this one",
        elsewhere: "give clients the path of the MCP endpoint, often /mcp",
        setting: "--resource",
        breaks: &[("*", "cannot connect: 404")],
    }
    REDIRECTED = Fault Challenge "endpoint-redirects" {
        title: "The MCP endpoint answers with a redirect to {location}.",
        cause: "a client that follows it drops the Authorization header on the way",
        mend: "give clients the URL it leads to, and set --resource to that",
        setting: "--resource",
        breaks: &[("*", "signs in and is asked again, without end")],
    }
    ANONYMOUS = Fault Challenge "anonymous-allowed" {
        title: "The MCP server answers without a token: status {status} and no 401.",
        cause: "no client begins a sign-in before it sees a 401, and everybody may call",
        mend: "see that every way to the server leads through mcp-entra",
        elsewhere: "require a token at this path, or put mcp-entra in front of it",
        breaks: &[("*", "connects without a sign-in, or fails at the first call")],
    }
    NOT_401 = Fault Challenge "status-not-401" {
        title: "A call without a token gets {status} and not 401.",
        cause: "a sign-in begins at a 401 and at nothing else",
        mend: "see what answers in front of mcp-entra: a firewall or Easy Auth that answers by itself",
        elsewhere: "answer 401 with a challenge; with Easy Auth, let unauthenticated requests get 401",
        breaks: &[("*", "shows the error and offers no sign-in")],
    }
    METHOD_NOT_401 = Warning Challenge "method-not-401" {
        title: "{method} without a token gets {status} and not 401.",
        cause: "clients that probe by this method take the server for one without sign-in",
        mend: "let every method of this path through to mcp-entra",
        elsewhere: "answer every method with 401 before anything else",
        breaks: &[("gemini-cli", "probes by HEAD, and finds no sign-in")],
    }
    CHALLENGE_MISSING = Fault Challenge "challenge-missing" {
        title: "The 401 has no Bearer challenge in WWW-Authenticate.",
        cause: "a client learns from it where the metadata is and which scope to ask for",
        mend: "let the header through: some proxy in front of mcp-entra removes it",
        elsewhere: "send WWW-Authenticate: Bearer resource_metadata=\"…\", scope=\"…\" with every 401",
        breaks: &[
            ("chatgpt", "finds the metadata only if it is at the path-inserted URL"),
            ("copilot-cli", "asks for no scope, and Entra refuses (AADSTS900144)"),
        ],
    }
    CHALLENGE_UNPARSEABLE = Fault Challenge "challenge-unparseable" {
        title: "The challenge cannot be parsed: {reason}.",
        cause: "clients ignore a header that they cannot read, without a word",
        mend: "let the header through unchanged: something in front of mcp-entra rewrites it",
        elsewhere: "write it as RFC 9110 section 11.6.1 says, its values in double quotes",
        breaks: &[("*", "offers no sign-in, or guesses where to sign in")],
    }
    CHALLENGES_SEVERAL = Warning Challenge "challenges-several" {
        title: "The 401 has {count} Bearer challenges.",
        cause: "clients read the first, the last or none of them",
        mend: "let one layer challenge: switch off the authentication of the server behind",
        breaks: &[("vscode", "may read the other one")],
    }
    RESOURCE_METADATA_MISSING = Warning Challenge "resource-metadata-missing" {
        title: "The challenge names no resource_metadata.",
        cause: "clients guess its URL, and not all guess the same",
        mend: "let the header through unchanged",
        elsewhere: "add resource_metadata with the absolute URL of the metadata (RFC 9728 section 5.1)",
        breaks: &[("claude", "takes the MCP server for the authorization server if it finds nothing")],
    }
    RESOURCE_METADATA_RELATIVE = Fault Challenge "resource-metadata-relative" {
        title: "resource_metadata in the challenge is no absolute URL: {value}.",
        cause: "clients ignore a relative URL without a word",
        mend: "let the header through unchanged",
        elsewhere: "write it with scheme and host",
        breaks: &[("claude", "finds no way to sign in"), ("vscode", "finds no way to sign in")],
    }
    RESOURCE_METADATA_ELSEWHERE = Fault Challenge "resource-metadata-elsewhere" {
        title: "resource_metadata names another origin than the server's: {value}.",
        cause: "the server believes to be at another URL than the one that clients call",
        mend: "set --resource to {resource}, the URL that clients call",
        elsewhere: "tell the server its public URL; behind a proxy it takes its own for it",
        setting: "--resource",
        breaks: &[
            ("codex", "refuses metadata of another origin"),
            ("goose", "refuses metadata of another origin"),
            ("claude", "finds metadata of another resource, or none"),
        ],
    }
    CHALLENGE_SCOPE_MISSING = Note Challenge "challenge-scope-missing" {
        title: "The challenge names no scope.",
        cause: "clients then ask for the scopes of the metadata, or for none",
        mend: "",
        elsewhere: "name the scopes that every call needs in the challenge",
    }
    OFFLINE_ACCESS = Warning Challenge "offline-access-asked" {
        title: "offline_access is among the scopes of the {place}.",
        cause: "it is the authorization server's matter (SEP-2207), and makes clients ask for consent",
        mend: "leave it out of --scope: mcp-entra asks Entra for it by itself",
        elsewhere: "leave it out there, and name it in the authorization server's scopes_supported only",
        setting: "--scope",
        breaks: &[("inspector", "adds prompt=consent, which many tenants refuse (AADSTS90094)")],
    }
    CHALLENGE_OK = Ok Challenge "challenge-ok" {
        title: "Without a token there is a 401, and its challenge leads to the metadata.",
    }

    METADATA_MISSING = Fault ProtectedResource "protected-resource-metadata-missing" {
        title: "There is no protected-resource metadata.",
        cause: "clients then take the MCP server itself for the authorization server",
        mend: "let /.well-known/ through to mcp-entra",
        elsewhere: "serve it at {url} (RFC 9728)",
        breaks: &[("*", "finds no authorization server, or guesses")],
    }
    METADATA_UNREADABLE = Fault ProtectedResource "protected-resource-metadata-unreadable" {
        title: "The metadata that the challenge names cannot be read: {reason}.",
        cause: "clients that go by the challenge stop here",
        mend: "set --resource to the URL that clients call, and let /.well-known/ through",
        elsewhere: "serve it as a JSON object, with status 200 and without a redirect",
        setting: "--resource",
        breaks: &[("*", "finds no authorization server")],
    }
    PATH_INSERTED_MISSING = Fault ProtectedResource "path-inserted-metadata-missing" {
        title: "The metadata is not at the path-inserted URL.",
        cause: "RFC 9728 section 3.1 puts it there, and not every client reads the challenge",
        mend: "let /.well-known/ through to mcp-entra",
        elsewhere: "serve it at {url} too",
        breaks: &[("chatgpt", "tries the path-inserted URL only: \"does not implement OAuth\"")],
    }
    ROOT_MISSING = Note ProtectedResource "root-metadata-missing" {
        title: "The metadata is not at the root of the origin too.",
        cause: "only clients that get no challenge look there",
        mend: "let /.well-known/ through to mcp-entra",
        elsewhere: "nothing, as long as the challenge is there",
    }
    RESOURCE_DIFFERS = Fault ProtectedResource "resource-differs" {
        title: "The metadata is for {value}, and clients call {resource}.",
        cause: "clients refuse metadata of another resource than the URL that they called",
        mend: "set --resource to {resource}, or give clients the URL {value}",
        elsewhere: "let `resource` be the public URL of the MCP endpoint, byte for byte",
        setting: "--resource",
        breaks: &[
            ("vscode", "finds no way to sign in: the resource does not match"),
            ("gemini-cli", "\"Protected resource does not match expected\""),
            ("claude-code", "\"Protected resource does not match expected\""),
            ("inspector", "\"Protected resource does not match expected\""),
        ],
    }
    RESOURCE_SPELLED = Warning ProtectedResource "resource-spelled-differently" {
        title: "The metadata spells the URL {value}, and you {resource}.",
        cause: "some clients compare byte for byte",
        mend: "give clients the URL as --resource spells it: {value}",
        elsewhere: "give clients the URL as the metadata spells it: {value}",
        setting: "--resource",
        breaks: &[("vscode", "compares exactly"), ("claude-code", "has compared the slash too")],
    }
    OFFLINE_ACCESS_IN_METADATA = Warning ProtectedResource "offline-access-in-metadata" {
        title: "offline_access is among the scopes of the {place}.",
        cause: "it is the authorization server's matter (SEP-2207), and makes clients ask for consent",
        mend: "leave it out of --scope: mcp-entra asks Entra for it by itself",
        elsewhere: "leave it out there, and name it in the authorization server's scopes_supported only",
        setting: "--scope",
        breaks: &[("inspector", "adds prompt=consent, which many tenants refuse (AADSTS90094)")],
    }
    SERVERS_MISSING = Fault ProtectedResource "authorization-servers-missing" {
        title: "The metadata names no authorization server.",
        cause: "RFC 9728 lets it out, the MCP specification asks for one at least",
        mend: "let the document through unchanged",
        elsewhere: "name the issuer in authorization_servers",
        breaks: &[("*", "does not know where to sign in")],
    }
    SERVERS_SEVERAL = Warning ProtectedResource "authorization-servers-several" {
        title: "The metadata names {count} authorization servers.",
        cause: "clients use the first and ignore the rest",
        mend: "name one",
    }
    METADATA_TYPE = Warning ProtectedResource "metadata-content-type" {
        title: "The metadata's Content-Type is {value}.",
        cause: "it has to be application/json (RFC 9728 section 3.2)",
        mend: "let the header through unchanged",
        elsewhere: "send application/json",
    }
    METADATA_OK = Ok ProtectedResource "protected-resource-metadata-ok" {
        title: "The protected-resource metadata is for this URL and names {issuer}.",
    }

    SERVER_IS_ENTRA = Fault AuthorizationServer "authorization-server-is-entra" {
        title: "The authorization server is Entra ID itself: {issuer}.",
        cause: "Entra registers no client, has no RFC 8414 metadata, promises no S256 and refuses \
            `resource`, so only clients with a built-in or configured client id get anywhere",
        mend: "",
        elsewhere: GATEWAY,
        command: "mcp-entra app-registration --resource {resource}",
        breaks: &[
            ("cursor", "registration fails: \"does not support dynamic client registration\""),
            ("claude", "never redirects to the sign-in"),
            ("claude-code", "\"does not support dynamic client registration\""),
            ("chatgpt", "refuses, since S256 is not offered"),
            ("vscode", "signs in with Microsoft's own client id, which has to be pre-authorised"),
            ("gemini-cli", "registration fails"),
            ("mcp-remote", "registration fails: there is no metadata at the server's origin"),
        ],
    }
    SERVER_METADATA_MISSING = Fault AuthorizationServer "authorization-server-metadata-missing" {
        title: "No metadata of the authorization server {issuer} can be read: {reason}.",
        cause: "a client that finds none stops, or guesses /authorize, /token and /register",
        mend: "see whether mcp-entra reaches Entra: --authority and --tenant name what it reads its \
            documents from, and its log has why it could not",
        elsewhere: "serve RFC 8414 metadata at {url}",
        setting: "--authority, --tenant",
        breaks: &[("*", "finds no endpoints")],
    }
    RFC_8414_MISSING = Warning AuthorizationServer "rfc-8414-metadata-missing" {
        title: "The metadata is only an OpenID Connect document.",
        cause: "clients older than the revision 2025-11-25 look for RFC 8414 metadata only",
        mend: "let /.well-known/ through to mcp-entra",
        elsewhere: "serve the same document at {url} too",
        breaks: &[("mcp-remote", "finds no metadata")],
    }
    MCP_ORIGIN_MISSING = Fault AuthorizationServer "mcp-origin-metadata-missing" {
        title: "There is no authorization-server metadata at the MCP server's own origin.",
        cause: "clients of the revision 2025-03-26 look there and nowhere else",
        mend: "let /.well-known/ through to mcp-entra",
        elsewhere: "serve the authorization server's document at {url} too",
        breaks: &[("mcp-remote", "finds no endpoints, and guesses /register")],
    }
    ISSUER_DIFFERS = Fault AuthorizationServer "issuer-differs" {
        title: "The metadata's issuer is {value}, and the protected-resource metadata names {issuer}.",
        cause: "a client must not use metadata of another issuer (RFC 8414 section 3.3); one slash \
            more is another",
        mend: "let the document through unchanged",
        elsewhere: "let `issuer` be {issuer}, byte for byte",
        breaks: &[
            ("codex", "refuses the metadata: issuer mismatch"),
            ("goose", "refuses the metadata: issuer mismatch"),
            ("inspector", "IssuerMismatchError"),
            ("copilot-cli", "refuses the metadata since 1.0.80"),
            ("chatgpt", "refuses the metadata"),
            ("claude", "refuses the metadata"),
        ],
    }
    TEMPLATE = Fault AuthorizationServer "issuer-template" {
        title: "The metadata has Entra's template {tenantid}.",
        cause: "it stands for every tenant and equals no issuer",
        mend: "let the document through unchanged",
        elsewhere: "name one tenant, or put mcp-entra in front of it",
        breaks: &[("*", "refuses the issuer")],
    }
    S256_MISSING = Fault AuthorizationServer "s256-missing" {
        title: "code_challenge_methods_supported does not list S256.",
        cause: "clients must refuse to go on without it, whether the server knows PKCE or not",
        mend: "let the document through unchanged",
        elsewhere: "add \"code_challenge_methods_supported\": [\"S256\"]",
        breaks: &[
            ("claude", "never redirects to the sign-in"),
            ("chatgpt", "refuses the server"),
            ("inspector", "\"Incompatible auth server: does not support code challenge method S256\""),
        ],
    }
    REGISTRATION_MISSING = Fault AuthorizationServer "registration-missing" {
        title: "There is no registration_endpoint.",
        cause: "clients that nobody has given a client id register themselves (RFC 7591)",
        mend: "let the document through unchanged",
        elsewhere: GATEWAY,
        breaks: &[
            ("cursor", "registration fails"),
            ("claude", "\"does not support dynamic client registration\", unless a client id is typed in"),
            ("claude-code", "\"does not support dynamic client registration\""),
            ("gemini-cli", "registration fails"),
            ("mcp-remote", "registration fails"),
        ],
    }
    REFRESH_MISSING = Warning AuthorizationServer "refresh-token-missing" {
        title: "grant_types_supported does not list refresh_token.",
        cause: "left out, it means authorization_code and implicit (RFC 8414 section 2), and clients \
            sign the user in again every hour",
        mend: "let the document through unchanged",
        elsewhere: "list authorization_code and refresh_token",
        breaks: &[("chatgpt", "has rejected such servers")],
    }
    NONE_MISSING = Warning AuthorizationServer "public-clients-missing" {
        title: "token_endpoint_auth_methods_supported does not list none.",
        cause: "clients on a user's machine have no secret, and some believe the list",
        mend: "let the document through unchanged",
        elsewhere: "list none, if public clients may sign in",
        breaks: &[("claude", "does not use its client metadata document")],
    }
    ENDPOINT_MISSING = Fault AuthorizationServer "endpoint-missing" {
        title: "The metadata has no usable {name}: {value}.",
        cause: "it has to be an absolute https URL (http on loopback only)",
        mend: "let the document through unchanged",
        elsewhere: "name it with scheme and host",
        breaks: &[("*", "refuses the metadata")],
    }
    CODE_MISSING = Fault AuthorizationServer "response-type-missing" {
        title: "response_types_supported does not list code.",
        cause: "clients check it before they begin",
        mend: "let the document through unchanged",
        elsewhere: "add \"response_types_supported\": [\"code\"]",
        breaks: &[("inspector", "\"Incompatible auth server: does not support response type code\"")],
    }
    ISS_PROMISED = Fault AuthorizationServer "iss-promised" {
        title: "The metadata promises `iss` in authorization responses, which come from Entra.",
        cause: "Entra sends none of this issuer's (RFC 9207), and a client refuses what was promised \
            and does not come",
        mend: "let the document through unchanged",
        elsewhere: "leave authorization_response_iss_parameter_supported out",
        breaks: &[("codex", "refuses the response"), ("inspector", "refuses the response")],
    }
    SCOPES_OF_OPENID = Warning AuthorizationServer "scopes-not-of-this-api" {
        title: "scopes_supported lists no scope of this server.",
        cause: "who asks for what is listed gets a token for Microsoft Graph, which the MCP server refuses",
        mend: "let the document through unchanged",
        elsewhere: "list the scopes of the API first",
        breaks: &[
            ("gemini-cli", "asks for what is listed, and gets 401 with its token"),
            ("cursor", "asks for what is listed, and gets 401 with its token"),
        ],
    }
    PRIVATE_HOST = Fault AuthorizationServer "private-host" {
        title: "A public server names {url}, which is in a private network.",
        cause: "a client outside cannot reach it, and one inside must not be led there",
        mend: "set --resource to the public URL",
        elsewhere: "name public hosts only",
        setting: "--resource",
        breaks: &[("codex", "refuses a private authorization server"), ("claude", "cannot reach it")],
    }
    SERVER_OK = Ok AuthorizationServer "authorization-server-metadata-ok" {
        title: "The authorization-server metadata has the right issuer, S256 and registration.",
    }

    REGISTRATION_REFUSED = Fault Registration "registration-refused" {
        title: "The registration of {names} is refused: {reason}.",
        cause: "the client gets no client id, and does not come as far as a sign-in",
        mend: "add the redirect URI with --redirect-uri '{uri}', and to the app registration under \
            Authentication",
        elsewhere: "allow the client's redirect URIs, all that it registers together",
        setting: "--redirect-uri",
        portal: "App registrations > Authentication",
    }
    REGISTRATION_STATUS = Warning Registration "registration-status" {
        title: "A registration is answered with {status} and not 201.",
        cause: "RFC 7591 section 3.2.1; strict clients take it for a failure",
        mend: "let the answer through unchanged",
        elsewhere: "answer 201 Created",
    }
    REGISTRATION_ANSWER = Fault Registration "registration-answer" {
        title: "The answer to a registration {problem}.",
        cause: "clients check it against RFC 7591 and stop",
        mend: "let the answer through unchanged",
        elsewhere: "answer as RFC 7591 section 3.2.1 says, and leave out what is null",
        breaks: &[("inspector", "cannot parse the answer"), ("opencode", "cannot parse the answer")],
    }
    REGISTRATION_REFRESH = Warning Registration "registration-without-refresh" {
        title: "A registered client may not use refresh tokens: grant_types is {value}.",
        cause: "clients believe the answer, and ask the user to sign in every hour",
        mend: "let the answer through unchanged",
        elsewhere: "answer with authorization_code and refresh_token",
        breaks: &[("chatgpt", "has rejected such servers")],
    }
    REGISTRATION_OK = Ok Registration "registration-ok" {
        title: "{count} clients register with their own redirect URIs: {names}.",
    }

    CLIENT_UNKNOWN = Fault Authorization "client-unknown" {
        title: "Entra does not know the application {client} in the tenant {tenant}.",
        cause: "{cause}",
        mend: "set --client-id to the Application (client) ID under Overview, and --tenant to the \
            Directory (tenant) ID beside it",
        elsewhere: "configure the server with the Application (client) ID and the tenant under Overview",
        setting: "--client-id, --tenant",
        portal: "App registrations > Overview",
        command: "az ad app show --id {client} --query '{name:displayName,audience:signInAudience}'",
        breaks: &[("*", "the browser shows AADSTS700016 in place of the sign-in")],
    }
    TENANT_UNKNOWN = Fault Authorization "tenant-unknown" {
        title: "Entra does not know the tenant {tenant} at {host}.",
        cause: "{cause}",
        mend: "set --tenant to the Directory (tenant) ID under Overview; if that is right, the tenant \
            is in another cloud: set --authority to its",
        elsewhere: "configure the server with the Directory (tenant) ID under Overview, and its cloud",
        setting: "--tenant, --authority",
        portal: "App registrations > Overview",
        command: "az account show --query '{tenant:tenantId,cloud:environmentName}'",
        breaks: &[("*", "the browser shows AADSTS90002 in place of the sign-in")],
    }
    ENTRA_UNREACHABLE = Fault Authorization "entra-unreachable" {
        title: "Entra cannot be reached at {host}: {reason}.",
        cause: "the browser is sent there to sign in",
        mend: "set --authority to the origin of the Microsoft cloud, or leave it out for \
            https://login.microsoftonline.com",
        elsewhere: "correct the authority that the server is configured with",
        setting: "--authority",
        breaks: &[("*", "the browser cannot open the sign-in")],
    }
    REDIRECT_URI_UNREGISTERED = Fault Authorization "redirect-uri-not-registered" {
        title: "The app registration lacks redirect URIs under {platform}: {uris}.",
        cause: "Entra takes a redirect URI only as it is registered; of http://localhost alone it \
            ignores the port",
        mend: "add {them} under Authentication > {platform}, exactly as written here",
        setting: "redirectUris",
        portal: "App registrations > Authentication > {platform}",
        command: CHECK,
    }
    LOOPBACK_PORT = Warning Authorization "loopback-port-matters" {
        title: "Entra compares the port of {uri}.",
        cause: "{names} takes a free port for each sign-in; the registered URI without a port does \
            not stand for it",
        mend: "let the client use http://localhost, whose port Entra ignores, or a fixed port that is \
            registered",
        setting: "redirectUris",
        portal: "App registrations > Authentication > Mobile and desktop applications",
    }
    REDIRECT_URI_NOT_ALLOWED = Fault Authorization "redirect-uri-not-allowed" {
        title: "The server itself refuses the redirect URI {uri}: {reason}.",
        cause: "it is what {names} sends, and it is not on the server's list",
        mend: "add it with --redirect-uri '{uri}', and to the app registration under Authentication",
        elsewhere: "allow it in the server's own list of redirect URIs",
        setting: "--redirect-uri",
        portal: "App registrations > Authentication",
    }
    APP_ID_URI_UNKNOWN = Fault Authorization "app-id-uri-unknown" {
        title: "Entra knows no API by the Application ID URI of the scope {scope}.",
        cause: "{cause}",
        mend: "set the Application ID URI under Expose an API to the one of the scope, or give \
            --app-id-uri the one that is there",
        elsewhere: "set the Application ID URI under Expose an API to the one that the scopes begin with",
        setting: "--app-id-uri",
        portal: "App registrations > Expose an API > Application ID URI",
        command: "az ad app show --id {client} --query identifierUris",
        breaks: &[("*", "the sign-in ends with AADSTS500011")],
    }
    SCOPE_BARE = Fault Authorization "scope-bare" {
        title: "The scope {scope} goes to Entra without its API.",
        cause: "Entra looks it up on Microsoft Graph, and says AADSTS650053 once the user has signed in",
        mend: "let the sign-in come through mcp-entra, which qualifies it",
        elsewhere: "send it as api://{client}/{scope}",
        portal: "App registrations > Expose an API",
        breaks: &[("*", "the sign-in ends with AADSTS650053")],
    }
    RESOURCE_FORWARDED = Fault Authorization "resource-forwarded" {
        title: "Entra refuses `resource`, which every client sends.",
        cause: "{cause}",
        mend: "let the sign-in come through mcp-entra, which leaves it out",
        elsewhere: "let something leave `resource` out on its way to Entra, as mcp-entra does; or, for \
            clients with a client id of their own, set the Application ID URI to the MCP server's URL",
        portal: "App registrations > Expose an API > Application ID URI",
        breaks: &[("*", "the sign-in ends with AADSTS9010010")],
    }
    SCOPE_NOT_SENT = Fault Authorization "scope-not-sent" {
        title: "Entra is asked for no scope.",
        cause: "{cause}",
        mend: "let the sign-in come through mcp-entra, which adds it",
        elsewhere: "name the scope in the challenge and in scopes_supported, and add it where a client \
            leaves it out",
        breaks: &[("*", "the sign-in ends with AADSTS900144")],
    }
    ENTRA_REFUSES = Fault Authorization "entra-refuses" {
        title: "Entra refuses the sign-in with AADSTS{code}.",
        cause: "{cause}",
        mend: "{mend}",
        portal: "{blade}",
        command: "{command}",
        breaks: &[("*", "the browser shows AADSTS{code} in place of the sign-in")],
    }
    AUTHORIZE_FAILS = Fault Authorization "authorize-fails" {
        title: "The authorization endpoint answers {outcome}.",
        cause: "the browser is sent there to sign in. It says: {reason}",
        mend: "see the log of mcp-entra at this time",
        elsewhere: "see the server's log",
        breaks: &[("*", "the browser shows an error in place of the sign-in")],
    }
    OWN_PAGE = Note Authorization "authorize-own-page" {
        title: "The authorization endpoint shows a page of the server's own.",
        cause: "what Entra says comes after it, and cannot be seen from here",
        mend: "sign in once in a browser",
    }
    NOT_AUTHORIZED = Note Authorization "authorize-not-tried" {
        title: "The sign-in was not tried: there is no client id to try it with.",
        cause: "nothing registers a client here",
        mend: "give the one that clients are configured with as --client-id",
    }
    AUTHORIZE_OK = Ok Authorization "authorize-ok" {
        title: "{count} redirect URIs come as far as Entra's sign-in page, as application {client} of \
            tenant {tenant}.",
    }

    TOKEN_FAILS = Fault Token "token-endpoint-fails" {
        title: "The token endpoint answers a {grant} with {outcome}.",
        cause: "a code that is none is refused with 400 and invalid_grant (RFC 6749 section 5.2). It \
            says: {reason}",
        mend: "see the log of mcp-entra at this time: it has Entra's code; a wrong or expired secret \
            is mended under Certificates & secrets",
        elsewhere: "see the server's log at this time",
        setting: "MCP_ENTRA_CLIENT_SECRET",
        portal: "App registrations > Certificates & secrets",
        breaks: &[("*", "comes back from the sign-in, and fails")],
    }
    TOKEN_NOT_JSON = Fault Token "token-error-not-json" {
        title: "The token endpoint's error is no JSON.",
        cause: "a client cannot read why, and gives up in place of a new sign-in",
        mend: "let the answer through unchanged",
        elsewhere: "answer errors as RFC 6749 section 5.2 says",
        breaks: &[("*", "shows that the answer cannot be parsed")],
    }
    TOKEN_ERROR = Warning Token "token-error-code" {
        title: "The token endpoint refuses a {grant} with {error}, and not with 400 and invalid_grant.",
        cause: "clients throw their registration away, or do not sign the user in again. It says: {reason}",
        mend: "let the answer through unchanged",
        elsewhere: "answer invalid_grant where the grant is bad",
        breaks: &[("claude", "does not sign in again when a refresh is refused")],
    }
    TOKEN_ENTRA = Fault Token "token-entra-refuses" {
        title: "Entra refuses the token request with AADSTS{code}.",
        cause: "{cause}",
        mend: "{mend}",
        portal: "{blade}",
        command: "{command}",
        breaks: &[("*", "comes back from the sign-in, and fails")],
    }
    TOKEN_STORED = Warning Token "token-answer-stored" {
        title: "The token endpoint's answers may be stored: Cache-Control is {value}.",
        cause: "RFC 6749 section 5.1 asks for no-store, and conformance tests look for it",
        mend: "let the header through unchanged",
        elsewhere: "send Cache-Control: no-store",
    }
    TOKEN_OK = Ok Token "token-ok" {
        title: "The token endpoint refuses what is no code and no refresh token as clients expect it.",
    }

    PREFLIGHT = Warning Browsers "preflight-refused" {
        title: "A browser may not call {what}: {problem}.",
        cause: "clients in a browser ask first (CORS), and stop there",
        mend: "let OPTIONS through to mcp-entra, and its headers back",
        elsewhere: "answer OPTIONS without a token, with Access-Control-Allow-Origin, -Methods and -Headers",
        breaks: &[("inspector in a browser", "\"Failed to fetch\"")],
    }
    NOT_EXPOSED = Warning Browsers "challenge-not-exposed" {
        title: "A page cannot read {what}.",
        cause: "a browser shows a page only the headers that Access-Control-Expose-Headers names",
        mend: "let the header through unchanged",
        elsewhere: "send Access-Control-Allow-Origin and Access-Control-Expose-Headers: WWW-Authenticate, \
            Mcp-Session-Id with the 401 too",
        breaks: &[("inspector in a browser", "does not see the challenge")],
    }
    BROWSERS_OK = Ok Browsers "cors-ok" {
        title: "Clients in a browser may call every endpoint.",
    }

    REGISTRATION_DIFFERS = Fault AppRegistration "app-registration-differs" {
        title: "The app registration's {setting} is not as it has to be{values}.",
        cause: "{problem}",
        mend: "change it under {blade}",
        setting: "{setting}",
        portal: "App registrations > {blade}",
        command: "{command}",
    }
    REGISTRATION_NOTE = Note AppRegistration "app-registration-look-at" {
        title: "Look at {setting} of the app registration{values}.",
        cause: "{problem}",
        mend: "decide whether it is meant so, under {blade}",
        setting: "{setting}",
        portal: "App registrations > {blade}",
        command: "{command}",
    }
    REGISTRATION_CHECKED = Ok AppRegistration "app-registration-ok" {
        title: "The app registration is as it has to be.",
    }
    REGISTRATION_NOT_COMPARED = Warning AppRegistration "app-registration-not-compared" {
        title: "The app registration was not compared: {reason}.",
        cause: "what the server asks Entra for could not be seen",
        mend: "mend what is above first, then ask again",
    }
}

#[cfg(test)]
mod tests {
    use mcp_entra_core::known_client;

    use super::*;

    #[test]
    fn ids_are_unique_and_every_one_is_documented() {
        let page = include_str!("../../../../docs/doctor.md");
        for kind in KINDS {
            assert_eq!(KINDS.iter().filter(|other| other.id == kind.id).count(), 1, "{}", kind.id);
            assert!(
                page.contains(&format!("`{}`", kind.id)),
                "{} is not in docs/doctor.md",
                kind.id
            );
        }
    }

    #[test]
    fn a_fault_says_whom_it_breaks_and_what_mends_it() {
        let later = [
            "registration-refused",
            "redirect-uri-not-registered",
            "redirect-uri-not-allowed",
            "app-registration-differs",
        ];
        for kind in KINDS.iter().filter(|kind| kind.severity == Severity::Fault) {
            assert!(!kind.breaks.is_empty() || later.contains(&kind.id), "{}", kind.id);
            assert!(!kind.mend.is_empty() || !kind.elsewhere.is_empty(), "{}", kind.id);
            assert!(!kind.cause.is_empty(), "{}", kind.id);
        }
    }

    #[test]
    fn clients_are_known_by_their_ids() {
        let others = ["*", "copilot-cli", "inspector in a browser"];
        for (who, _) in KINDS.iter().flat_map(|kind| kind.breaks) {
            assert!(known_client::find(who).is_some() || others.contains(who), "{who}");
        }
    }
}
