//! kill -9: of one validator under load, and of all.

use crate::committee::{Committee, until};
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
