//! Members that come late, are killed again and again, lose their disk, or sit behind a network that breaks.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::desk::Desk;
use crate::proxy::Proxy;

const ALL: [usize; 4] = [0, 1, 2, 3];
/// How often a member is killed.
const KILLS: usize = 20;

/// Requires that all have the same key, and nobody has anything against anybody.
fn require_one_key(desk: &Desk) {
    let key = desk.group_key(0);
    assert!(key.is_some());
    for member in ALL {
        assert_eq!(desk.group_key(member), key);
        let evidence = desk.names(&format!("m{member}/key/evidence"));
        assert!(evidence.is_empty(), "{evidence:?}");
    }
}

#[test]
fn three_finish_without_the_fourth_and_it_comes_later() {
    let mut desk = Desk::joined(4);
    let (absent, present) = (2, [0, 1, 3]);
    for member in present {
        desk.start(member, &["--until", "all"]);
    }
    desk.keys_of(&present);
    let key = desk.group_key(0);
    for member in present {
        assert_eq!(desk.group_key(member), key);
        let admin = desk.admin(member);
        // The others say within moments that they are complete too.
        desk.until("an explanation", member, |desk| {
            let explain = ["ceremony", "explain", "--json", "--admin", &admin];
            let waiting = desk.run(&explain).json()["waiting"].to_string();
            waiting.contains("member-2")
                && present
                    .iter()
                    .all(|other| !waiting.contains(&format!("member-{other}")))
        });
        assert_eq!(desk.ended(member), None, "it waits for the absent one");
    }
    desk.start(absent, &[]);
    for member in ALL {
        desk.done(member);
    }
    require_one_key(&desk);
}

#[test]
fn a_member_that_is_killed_again_and_again_gets_the_same_key() {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).unwrap();
    let seed = u64::from_le_bytes(seed);
    eprintln!("seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut desk = Desk::joined(4);
    for member in ALL {
        desk.start(member, &["--until", "stopped"]);
    }
    let victim = 1;
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_millis(rng.next_u64() % 400));
        desk.kill(victim);
        desk.start(victim, &["--until", "stopped"]);
    }
    desk.keys_of(&ALL);
    require_one_key(&desk);
    for member in ALL {
        let admin = desk.admin(member);
        let mut proved = false;
        desk.until("a proof", member, |desk| {
            let ran = desk.run(&["ceremony", "prove", "--json", "--admin", &admin]);
            proved = ran.code == Some(0);
            proved
        });
    }
}

#[test]
fn a_member_that_lost_its_directory_keeps_silent_and_gets_its_share() {
    let mut desk = Desk::joined(4);
    for member in ALL {
        desk.start(member, &["--until", "stopped"]);
    }
    desk.keys_of(&ALL);
    desk.stop(3);
    std::fs::remove_dir_all(desk.path("m3/key")).unwrap();
    desk.join(3, "ceremony.json");
    desk.start(3, &["--until", "done", "--recover"]);
    desk.done(3);
    require_one_key(&desk);
    desk.ok(&["ceremony", "erase", "--dir", "m3/key"], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_delays_cuts_and_heals_changes_nothing() {
    let mut desk = Desk::joined(4);
    let mut proxies = Vec::new();
    for member in ALL {
        let mut arguments = vec!["--until".to_owned(), "stopped".to_owned()];
        for other in ALL.into_iter().filter(|other| *other != member) {
            let seed = u64::try_from(member * 4 + other).unwrap();
            let proxy = Proxy::start(desk.peer(other), seed).await;
            arguments.extend(["--peer".to_owned(), format!("{other}={}", proxy.address())]);
            proxies.push(proxy);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        desk.start(member, &arguments);
    }
    let finished = tokio::task::spawn_blocking(move || {
        desk.keys_of(&ALL);
        for member in ALL {
            desk.stop(member);
        }
        desk
    });
    require_one_key(&finished.await.unwrap());
    drop(proxies);
}
