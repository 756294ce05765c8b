//! kill -9: of one validator under load, and of all.

use crate::committee::{Committee, ended, finished, until};
use crate::feeder::Feeder;

const ALL: [usize; 4] = [0, 1, 2, 3];

#[tokio::test(flavor = "multi_thread")]
async fn one_killed_validator_stops_nobody_and_catches_up() {
    let mut committee = Committee::start();
    let feeders: Vec<Feeder> = ALL
        .iter()
        .map(|index| Feeder::start(&committee, *index))
        .collect();
    committee.reach(&ALL, 5).await;
    for victim in [3, 0] {
        let others: Vec<usize> = ALL.into_iter().filter(|index| *index != victim).collect();
        committee.kill(victim);
        let before = committee.highest(&others).await;
        let paid = feeders[others[0]].certified();
        committee.reach(&others, before + 20).await;
        until("a transfer without the victim", String::new, async || {
            feeders[others[0]].certified() > paid
        })
        .await;

        committee.run(victim);
        let missed = committee.highest(&others).await;
        committee.reach(&[victim], missed + 5).await;
        let paid = feeders[victim].certified();
        until(
            "a transfer through the victim",
            || committee.log(victim),
            async || feeders[victim].certified() > paid,
        )
        .await;

        let own = committee.certificates(victim, missed).await;
        let theirs = committee.certificates(others[0], missed).await;
        assert_eq!(
            u64::try_from(own.len()).unwrap(),
            missed,
            "every height has a certificate"
        );
        assert!(
            own == theirs,
            "validator {victim} has another history than {}",
            others[0]
        );
    }
    committee.require_no_evidence().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_certified_is_lost_when_all_are_killed() {
    let mut committee = Committee::start();
    let feeders: Vec<Feeder> = ALL
        .iter()
        .map(|index| Feeder::start(&committee, *index))
        .collect();
    let mut reached = 20;
    for _ in 0..2 {
        committee.reach(&ALL, reached).await;
        let mut known = Vec::new();
        for index in ALL {
            let head = committee.head(index).await.unwrap();
            known.push((head, committee.certificates(index, head).await));
        }
        for index in ALL {
            committee.kill(index);
        }
        for index in ALL {
            committee.run(index);
        }
        let highest = known.iter().map(|(head, _)| *head).max().unwrap();
        committee.reach(&ALL, highest + 20).await;
        for (index, (head, before)) in known.iter().enumerate() {
            assert_eq!(u64::try_from(before.len()).unwrap(), *head);
            let after = committee.certificates(index, *head).await;
            assert!(
                *before == after,
                "validator {index} lost or changed a certificate"
            );
        }
        let paid: Vec<u64> = feeders.iter().map(Feeder::certified).collect();
        until(
            "transfers after the restart",
            || committee.log(0),
            async || {
                feeders
                    .iter()
                    .zip(&paid)
                    .all(|(feeder, paid)| feeder.certified() > *paid)
            },
        )
        .await;
        reached = highest + 40;
    }
    committee.require_no_evidence().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_lost_its_disk_comes_back_and_repeats_nothing() {
    let mut committee = Committee::start();
    let feeder = Feeder::start(&committee, 0);
    committee.reach(&ALL, 30).await;
    let data = committee.path("validator-2/data");
    let backup = committee.path("backup");
    // What is copied under way is as torn as after a crash.
    committee.kill(2);
    copy(&data, &backup);
    committee.run(2);
    let height = committee.highest(&ALL).await;
    committee.reach(&ALL, height + 30).await;

    for restored in [false, true] {
        committee.kill(2);
        std::fs::remove_dir_all(&data).unwrap();
        if restored {
            copy(&backup, &data);
        } else {
            committee.run(2);
            assert_eq!(ended(committee.take(2)).await, Some(9));
            let log = committee.log(2);
            assert!(log.contains("--lost-disk"), "{log}");
        }
        committee.run_with(2, &["--lost-disk"]);
        let paid = feeder.certified();
        let height = committee.highest(&ALL).await;
        committee.reach(&ALL, height + 20).await;
        until("a transfer", String::new, async || {
            feeder.certified() > paid
        })
        .await;
        let round = own_round(&committee).await;
        until(
            "a block of the validator that lost its disk",
            || committee.log(2),
            async || own_round(&committee).await > round + 5,
        )
        .await;
    }
    committee.require_no_evidence().await;
}

/// The highest round of validator 2's own blocks.
async fn own_round(committee: &Committee) -> u64 {
    let admin = format!("http://{}", committee.listen(2).admin);
    let status = finished(&["--json", "status", "--admin", &admin]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
    status["own_round"].as_u64().unwrap_or(0)
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}
