//! The stand-in over a socket.

mod client;
mod directory;
mod faults;
mod refused_at_authorize;
mod refused_at_token;
mod sign_in;
