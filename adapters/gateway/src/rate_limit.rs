//! How often one address may ask: counted here, answered by the core.
//!
//! An address is that of the connection, or where proxies in front are trusted, the one that the
//! outermost of them has written into `X-Forwarded-For`. Of an IPv6 address the network counts,
//! since a client has a whole one. Addresses are counted by a keyed hash into a fixed number of
//! slots: memory has an end however many addresses ask, and nobody can choose to share a slot.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

use bytes::Bytes;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::request::Parts;
use http::{HeaderMap, Response};
use mcp_entra_core::{Facade, SignInEndpoint};

use crate::proxy::X_FORWARDED_FOR;

/// Some twenty octets each, once they are used.
const SLOTS: u64 = 1 << 18;

type Limiter = RateLimiter<u64, HashMapStateStore<u64>, DefaultClock>;

/// The limits of the sign-in endpoints.
#[derive(Debug)]
pub(crate) struct RateLimits {
    limiters: Vec<(SignInEndpoint, Limiter)>,
    trusted_proxies: usize,
    hasher: RandomState,
    clock: DefaultClock,
}

impl RateLimits {
    /// Requests a minute, all of which may come at once.
    pub(crate) fn new(rates: &[(SignInEndpoint, NonZeroU32)], trusted_proxies: usize) -> Self {
        let limiter =
            |(endpoint, rate): &_| (*endpoint, RateLimiter::hashmap(Quota::per_minute(*rate)));
        Self {
            limiters: rates.iter().map(limiter).collect(),
            trusted_proxies,
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
        }
    }

    /// The answer for a request that is one too many.
    pub(crate) fn refusal(
        &self,
        head: &Parts,
        peer: IpAddr,
        facade: &Facade,
    ) -> Option<Response<Bytes>> {
        if self.limiters.is_empty() {
            return None;
        }
        let endpoint = facade.sign_in_endpoint(head)?;
        let (_, limiter) = self.limiters.iter().find(|(limited, _)| *limited == endpoint)?;
        let address = client(&head.headers, peer, self.trusted_proxies);
        let slot = self.hasher.hash_one(network(address)) % SLOTS;
        let not_until = limiter.check_key(&slot).err()?;
        let wait = not_until.wait_time_from(self.clock.now());
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        tracing::info!(method = %head.method, path = head.uri.path(), %address, "refused: too many requests");
        Some(facade.too_many_requests(endpoint, seconds.max(1)))
    }
}

/// Whose request it is. Each proxy appends the address that it was called from, so what the
/// outermost trusted one wrote is as far from the end as there are trusted ones; what is in front
/// of that, anybody may have written. A request with fewer did not come through all of them.
fn client(headers: &HeaderMap, peer: IpAddr, trusted_proxies: usize) -> IpAddr {
    let Some(from_the_end) = trusted_proxies.checked_sub(1) else { return peer };
    let values = headers.get_all(X_FORWARDED_FOR).iter().rev();
    // by octets: in front of the comma there may be what is no text
    let mut addresses = values.flat_map(|value| value.as_bytes().rsplit(|&octet| octet == b','));
    addresses.nth(from_the_end).and_then(address).unwrap_or(peer)
}

/// An address as proxies write it, App Service with its port.
fn address(octets: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(octets).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// What counts as one client.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};
    use mcp_entra_core::{Options, Settings};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn facade() -> Facade {
        Facade::new(
            Settings::parse(&Options {
                resource: "https://mcp.example.com/mcp".into(),
                tenant: "contoso.com".into(),
                client_id: "99999999-8888-4777-8666-555555555555".into(),
                ..Options::default()
            })
            .unwrap(),
        )
    }

    fn head(path: &str, forwarded: &[&'static str]) -> Parts {
        let (mut head, ()) = Request::post(path).body(()).unwrap().into_parts();
        for value in forwarded {
            head.headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        head
    }

    fn limits(rate: u32, trusted_proxies: usize) -> RateLimits {
        let rate = NonZeroU32::new(rate).unwrap();
        RateLimits::new(&[(SignInEndpoint::Token, rate)], trusted_proxies)
    }

    #[test]
    fn each_address_has_an_allowance_of_its_own_at_the_endpoint_that_is_limited() {
        let (limits, facade) = (limits(3, 0), facade());
        let ask = |path: &str, peer: &str| {
            let response =
                limits.refusal(&head(path, &["10.0.0.1"]), peer.parse().unwrap(), &facade);
            response.map(|response| response.status().as_u16())
        };
        for peer in ["192.0.2.1", "192.0.2.2"] {
            for _ in 0..3 {
                assert_eq!(ask("/oauth/token", peer), None);
            }
            assert_eq!(ask("/oauth/token", peer), Some(429));
            assert_eq!(ask("/token", peer), Some(429), "by its other path too");
            assert_eq!(ask("/oauth/register", peer), None, "it has no limit");
            assert_eq!(ask("/mcp", peer), None);
        }
    }

    #[test]
    fn a_refusal_says_how_long_to_wait() {
        let (limits, facade) = (limits(2, 0), facade());
        let peer = "192.0.2.1".parse().unwrap();
        let ask = || limits.refusal(&head("/oauth/token", &[]), peer, &facade);
        assert!(ask().is_none() && ask().is_none());
        let wait: u64 = ask().unwrap().headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
    }

    #[test]
    fn an_address_is_believed_of_trusted_proxies_alone() {
        let peer = "192.0.2.9";
        for (trusted, forwarded, found) in [
            (0, &["203.0.113.7"][..], peer),
            (1, &[], peer),
            (1, &["203.0.113.7"], "203.0.113.7"),
            // what the client itself has sent stands in front
            (1, &["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
            (1, &["1.1.1.1", "203.0.113.7"], "203.0.113.7"),
            (2, &["1.1.1.1, 203.0.113.7,10.0.0.1"], "203.0.113.7"),
            (2, &["1.1.1.1, 203.0.113.7", "10.0.0.1"], "203.0.113.7"),
            // it came around a proxy
            (2, &["203.0.113.7"], peer),
            (1, &["203.0.113.7:54321"], "203.0.113.7"),
            (1, &["[2001:db8::7]:54321"], "2001:db8::7"),
            (1, &["[2001:db8::7]"], "2001:db8::7"),
            (1, &["2001:db8::7"], "2001:db8::7"),
            (1, &["unknown"], peer),
            (1, &[""], peer),
        ] {
            let head = head("/oauth/token", forwarded);
            let address = client(&head.headers, peer.parse().unwrap(), trusted);
            assert_eq!(address.to_string(), found, "{trusted} {forwarded:?}");
        }
    }

    proptest! {
        /// Whoever could change its own address by a header would have an allowance for each.
        #[test]
        fn what_a_client_has_sent_itself_changes_no_address(
            sent in vec(vec(any::<u8>().prop_filter("a field's", is_field_octet), 0..20), 1..3),
            trusted in 1usize..4,
            joined: bool,
        ) {
            let peer: IpAddr = "192.0.2.9".parse().unwrap();
            let mut lines = sent;
            for proxy in 0..trusted {
                let address = format!("203.0.113.{proxy}");
                match lines.last_mut().filter(|_| joined) {
                    Some(line) => line.extend_from_slice(format!(", {address}").as_bytes()),
                    None => lines.push(address.into()),
                }
            }
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(&line).unwrap());
            }
            prop_assert_eq!(client(&headers, peer, trusted).to_string(), "203.0.113.0");
        }
    }

    fn is_field_octet(octet: &u8) -> bool {
        HeaderValue::from_bytes(&[*octet]).is_ok()
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn however_many_addresses_ask_the_memory_has_an_end() {
        let (limits, facade) = (limits(1, 0), facade());
        for number in 0..2 * u32::try_from(SLOTS).unwrap() {
            let peer = std::net::Ipv4Addr::from(number).into();
            limits.refusal(&head("/oauth/token", &[]), peer, &facade);
        }
        let (_, limiter) = &limits.limiters[0];
        assert!(limiter.len() as u64 <= SLOTS);
    }
}
