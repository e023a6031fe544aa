//! Qualification is idempotent, loses no scope, and what was granted was asked for.

use std::collections::BTreeSet;

use mcp_entra_core::scope::ApiName;

use crate::oracle::check_scope;
use crate::setting::SETTINGS;

/// What a client asks, and behind a line feed what Entra answers.
pub fn check(text: &str) {
    let (asked, answered) = text.split_once('\n').unwrap_or((text, ""));
    for setting in SETTINGS.iter() {
        let api = setting.settings().api();
        for name in [ApiName::AppIdUri, ApiName::ClientId] {
            let Ok(sent) = api.qualify(Some(asked), name) else { continue };
            check_scope(&sent, setting.settings());
            assert_eq!(api.qualify(Some(&sent), name).expect("ours is understood"), sent);
            let words: BTreeSet<&str> = sent.split(' ').collect();
            assert_eq!(words.len(), sent.split(' ').count(), "a scope twice in '{sent}'");
            // by whichever name, what is asked for is the same
            let names = |sent: &str| {
                let word = |word: &str| word.rsplit_once('/').map_or("", |(_, n)| n).to_owned();
                sent.split(' ').map(word).collect::<Vec<_>>()
            };
            let other = api.qualify(Some(asked), ApiName::AppIdUri).expect("it was understood");
            assert_eq!(names(&sent), names(&other));
            let default = asked.split(' ').any(|word| word.ends_with(".default"));
            for word in asked.split(' ').filter(|word| !word.is_empty()) {
                let lost = matches!(word, "address" | "phone") || default;
                let found = words.iter().any(|sent| *sent == word || sent.ends_with(tail(word)));
                assert!(lost || found, "'{word}' is lost in '{sent}'");
            }
        }
        for refreshable in [false, true] {
            let Some(told) = api.granted(answered, Some(asked), refreshable) else { continue };
            let asked: Vec<&str> = asked.split(' ').collect();
            let all_asked = told.split(' ').all(|word| asked.contains(&word));
            let answered = told.split(' ').all(|word| {
                answered.split_ascii_whitespace().any(|a| a == word || a.ends_with(tail(word)))
            });
            assert!(all_asked || answered, "'{told}' was neither asked for nor answered");
        }
    }
}

/// The name behind the API's.
fn tail(word: &str) -> &str {
    word.rsplit_once('/').map_or(word, |(_, name)| name)
}
