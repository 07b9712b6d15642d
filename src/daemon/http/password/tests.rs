//! Which passwords are accepted, how long a refusal takes, and what a flood of wrong passwords blocks.

use super::{
    queue::{PLACES, PLACES_PER_PEER},
    *,
};
use futures_util::{FutureExt, future::join_all};
use std::{fs, net::Ipv4Addr, time::Duration};

const HUB: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
const STRANGER: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 66)));

/// A gate for `hub`, whose password is `right`; keep the folder as long as the gate.
fn gate(cost: u32) -> (tempfile::TempDir, PasswordGate) {
    let folder = tempfile::tempdir().unwrap();
    let hash = bcrypt::hash("right", cost).unwrap();
    fs::write(folder.path().join("web.yml"), format!("basic_auth_users: {{hub: {hash}}}")).unwrap();
    let protection = Protection::load(&folder.path().join("web.yml")).unwrap();
    let gate = PasswordGate::of(&protection).unwrap();
    (folder, gate)
}

fn basic(text: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(text))).unwrap()
}

#[actix::test]
async fn only_the_correct_password_is_accepted() {
    let (_folder, gate) = gate(4);
    assert_eq!(gate.admit(HUB, Some(&basic("hub:right"))).await, Ok(User("hub".into())));
    assert_eq!(gate.admit(HUB, Some(&basic("hub:right"))).await, Ok(User("hub".into())), "remembered");
    for text in ["hub:wrong", "hub:", "hub", "nobody:right", ":right", "hub:right ", "HUB:right", ""] {
        assert_eq!(gate.admit(HUB, Some(&basic(text))).await, Err(PasswordRefusal::Unknown), "{text}");
    }
    for header in ["Bearer aHViOnJpZ2h0", "Basic", "Basic ", "Basic ###", "aHViOnJpZ2h0", ""] {
        let header = HeaderValue::from_static(header);
        assert_eq!(gate.admit(HUB, Some(&header)).await, Err(PasswordRefusal::Unknown), "{header:?}");
    }
    assert_eq!(gate.admit(HUB, None).await, Err(PasswordRefusal::Unknown));
    assert_eq!(
        gate.admit(HUB, Some(&HeaderValue::from_static("basic aHViOnJpZ2h0"))).await,
        Ok(User("hub".into())),
        "any case"
    );
}

#[actix::test]
async fn a_refusal_takes_equally_long_for_every_name() {
    let (folder, gate) = gate(4);
    let (cheap, dear) = (bcrypt::hash("right", 4).unwrap(), bcrypt::hash("right", 11).unwrap());
    let text = format!("basic_auth_users: {{a: {cheap}, hub: {cheap}, z: {dear}}}");
    fs::write(folder.path().join("web.yml"), text).unwrap();
    gate.protection.renew();
    // The shortest of each: a busy machine only ever adds. A check of the cheap hash alone is a hundred times as short, however often it is tried.
    let mut shortest = [Duration::MAX; 4];
    let is_even = |took: &[Duration; 4]| took.iter().max().unwrap() < &(*took.iter().min().unwrap() * 2);
    for _ in 0..20 {
        for (name, shortest) in ["a", "hub", "nobody", "z"].into_iter().zip(&mut shortest) {
            let begun = std::time::Instant::now();
            assert_eq!(gate.admit(HUB, Some(&basic(&format!("{name}:wrong")))).await, Err(PasswordRefusal::Unknown));
            *shortest = begun.elapsed().min(*shortest);
        }
        if is_even(&shortest) {
            break;
        }
    }
    assert!(is_even(&shortest), "{shortest:?}");
    assert_eq!(gate.admit(HUB, Some(&basic("a:right"))).await, Ok(User("a".into())));
}

#[actix::test]
async fn the_empty_password_is_never_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yml");
    let (empty, right) = (bcrypt::hash("", 4).unwrap(), bcrypt::hash("right", 4).unwrap());
    fs::write(&path, format!("basic_auth_users: {{hub: {empty}, grafana: {right}}}")).unwrap();
    let faults = Protection::load(&path).err().unwrap().join("; ");
    assert!(faults.contains("basic_auth_users.hub: is the hash of the empty password"), "{faults}");
    assert!(!faults.contains("grafana") && !faults.contains(&empty), "{faults}");
    // Costly ones come first, so this one is not checked at start.
    let dear = format!("$2y$14${}", &right[7..]);
    let text = format!("basic_auth_users: {{a: {dear}, b: {dear}, c: {empty}}}");
    fs::write(&path, text).unwrap();
    let gate = PasswordGate::of(&Protection::load(&path).unwrap()).unwrap();
    assert_eq!(gate.admit(HUB, Some(&basic("c:"))).await, Err(PasswordRefusal::Unknown));
}

#[actix::test]
async fn only_correct_passwords_are_remembered_as_digests() {
    let (_folder, gate) = gate(4);
    for text in ["hub:wrong", "nobody:right", "hub:right"] {
        let _ = gate.admit(HUB, Some(&basic(text))).await;
    }
    let known = gate.known();
    assert_eq!(known.keys().collect::<Vec<_>>(), ["hub"]);
    assert!(!known["hub"].windows(5).any(|bytes| bytes == b"right"));
}

#[actix::test]
async fn a_new_hash_makes_the_old_password_wrong() {
    let (folder, gate) = gate(4);
    assert_eq!(gate.admit(HUB, Some(&basic("hub:right"))).await, Ok(User("hub".into())));
    let hash = bcrypt::hash("another", 5).unwrap();
    fs::write(folder.path().join("web.yml"), format!("basic_auth_users: {{hub: {hash}, grafana: {hash}}}")).unwrap();
    gate.protection.renew();
    assert_eq!(gate.admit(HUB, Some(&basic("hub:right"))).await, Err(PasswordRefusal::Unknown));
    assert_eq!(gate.admit(HUB, Some(&basic("hub:another"))).await, Ok(User("hub".into())));
    assert_eq!(gate.admit(HUB, Some(&basic("grafana:another"))).await, Ok(User("grafana".into())));
}

#[actix::test]
async fn a_known_password_does_not_wait_behind_a_flood() {
    let (_folder, gate) = gate(10);
    assert_eq!(gate.admit(HUB, Some(&basic("hub:right"))).await, Ok(User("hub".into())));
    let (wrong, right) = (basic("hub:wrong"), basic("hub:right"));
    let flood = join_all((0..100).map(|_| gate.admit(HUB, Some(&wrong))));
    let scraper = async {
        actix::clock::sleep(Duration::from_millis(1)).await;
        let taken = gate.queue.state().0;
        (gate.admit(HUB, Some(&right)).await, taken, gate.queue.state().0)
    };
    let (refused, (admitted, before, after)) = futures_util::future::join(flood, scraper).await;
    assert_eq!(
        (admitted, before > 0, after > 0),
        (Ok(User("hub".into())), true, true),
        "it did not wait for the others"
    );
    let busy = refused.iter().filter(|refusal| **refusal == Err(PasswordRefusal::Busy)).count();
    assert_eq!((busy, refused.len()), (100 - PLACES_PER_PEER, 100));
    assert!(refused.iter().all(Result::is_err));
}

#[actix::test]
async fn a_flood_from_one_address_does_not_block_the_others() {
    let (_folder, gate) = gate(10);
    let (wrong, right) = (basic("hub:wrong"), basic("hub:right"));
    let flood = join_all((0..100).map(|_| gate.admit(STRANGER, Some(&wrong))));
    let scraper = async {
        actix::clock::sleep(Duration::from_millis(1)).await;
        (gate.queue.state(), gate.admit(HUB, Some(&right)).await)
    };
    let (refused, (before, admitted)) = futures_util::future::join(flood, scraper).await;
    assert_eq!((before, admitted), ((PLACES_PER_PEER, true), Ok(User("hub".into()))));
    let busy = refused.iter().filter(|refusal| **refusal == Err(PasswordRefusal::Busy)).count();
    assert_eq!(busy, 100 - PLACES_PER_PEER);
}

#[actix::test]
async fn a_client_that_disconnects_keeps_its_turn_until_the_check_ends() {
    let (_folder, gate) = gate(12);
    let wrong = basic("hub:wrong");
    for _ in 0..2 * PLACES {
        assert!(gate.admit(HUB, Some(&wrong)).now_or_never().is_none());
        assert_eq!(gate.queue.state(), (1, true), "one check runs on, and no second beside it");
    }
    while gate.queue.state().1 {
        actix::clock::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(gate.queue.state().0, 0);
    assert_eq!(gate.admit(HUB, Some(&basic("hub:right"))).await, Ok(User("hub".into())));
}
