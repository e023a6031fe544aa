//! Our strict parser agrees with `form_urlencoded` on everything that it accepts, and accepts no
//! name twice.

use mcp_entra_core::form::{Form, MAX_PARAMETERS};

/// A query string or the body of a form.
pub fn check(text: &[u8]) {
    let Ok(form) = Form::parse(text) else { return };
    let ours: Vec<_> = form.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let theirs: Vec<_> = form_urlencoded::parse(text).into_owned().collect();
    assert_eq!(ours, theirs);
    assert!(ours.len() <= MAX_PARAMETERS);
    for (index, (name, value)) in ours.iter().enumerate() {
        assert!(name == "resource" || ours[..index].iter().all(|(seen, _)| seen != name));
        assert!(!name.contains(char::is_control) && !value.contains(char::is_control));
        if name != "resource" {
            assert_eq!(form.get(name).unwrap_or_default(), value);
        }
    }
    let again = form_urlencoded::Serializer::new(String::new()).extend_pairs(&ours).finish();
    let again: Vec<_> = Form::parse(again.as_bytes())
        .expect("what was accepted is accepted when it is written again")
        .iter()
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    assert_eq!(ours, again);
}
