//! What `sentinel cluster status` says.

use super::*;
use sentinel_actors::domain::cluster::Stored;

fn record(released: bool) -> Record {
    Record {
        instance: "i".into(),
        member: "inf-1".into(),
        host: "inf".into(),
        pid: 17,
        version: "0.1.0".into(),
        journal: "j".into(),
        since: 1_800_000_000,
        at: 1_800_000_100,
        trust_ms: 10_000,
        bars_after: None,
        before: None,
        released,
    }
}

#[test]
fn a_status_says_who_and_when() {
    let stored = |released| Stored { create_revision: 40, mod_revision: 44, lease: 7, record: Some(record(released)) };
    let said = |claim: Option<Stored>, last: Option<Stored>| in_words(&Seen { claim, last }, 1_800_000_103);
    let who = "inf-1 on host inf (pid 17, version 0.1.0), since 2027-01-15 08:00:00 UTC";
    let held = said(Some(stored(false)), Some(stored(false)));
    assert_eq!(held, format!("held by {who}, epoch 40; last heard of 3 s ago"));
    let taken_over = Record { bars_after: Some(1_800_000_050), ..record(false) };
    let taken_over = Some(Stored { record: Some(taken_over), ..stored(false) });
    assert_eq!(
        said(taken_over.clone(), taken_over),
        format!("{held}; it orders bars that close after 2027-01-15 08:00:50 UTC")
    );
    assert_eq!(said(None, Some(stored(true))), format!("not held; given back by {who}; last heard of 3 s ago"));
    assert_eq!(said(None, Some(stored(false))), format!("not held; {who} did not give it back; last heard of 3 s ago"));
    let dead = Record { before: Some("inf-0 on host old".into()), ..record(true) };
    let dead = said(None, Some(Stored { record: Some(dead), ..stored(true) }));
    assert!(dead.ends_with(
        "; inf-0 on host old did not give it back: look for its last orders in the account and in its journal, \
         then `sentinel cluster acknowledge`"
    ));
    let endless = said(Some(Stored { lease: 0, ..stored(false) }), None);
    assert!(endless.contains("its claim has no lease"), "{endless}");
    assert_eq!(said(None, None), "not held, now or before");
    let unreadable = said(Some(Stored { record: None, ..stored(false) }), None);
    assert_eq!(unreadable, "held by a daemon whose record cannot be read, epoch 40");
}
