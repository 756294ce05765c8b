//! A committee that stops and starts again goes on where it was.

use crate::committee::{Committee, stop_all, until, until_settled};

/// One checkpoint and some more heights.
const HEIGHTS: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_committee_has_the_same_chain_and_goes_on() {
    let committee = Committee::new(1);
    let members = committee.start_all().await;
    assert_eq!(members[2].node.index().0, 2);
    assert_eq!(members[2].node.chain_id(), committee.chain());
    for (index, member) in members.iter().enumerate() {
        for number in 0..5 {
            let transaction = format!("transaction {number} of {index}");
            member.submit(transaction).await.unwrap();
        }
    }
    until_settled(&members, 20).await;
    until("a checkpoint is behind", || async {
        members[3].certified().await >= HEIGHTS
    })
    .await;
    let mut headers = Vec::new();
    let mut certified = u64::MAX;
    for member in &members {
        member.assert_no_evidence().await;
        certified = certified.min(member.certified().await);
    }
    for height in 1..=certified {
        let certificate = members[0].certificate(height).await;
        assert_eq!(certificate.header, members[1].header(height).await);
        headers.push(certificate);
    }
    assert_eq!(headers.last().unwrap().header.transactions_total, 20);
    stop_all(members).await;

    let members = committee.start_all().await;
    for member in &members {
        until("what was certified is certified again", || async {
            member.certified().await >= certified
        })
        .await;
        for certificate in &headers {
            let height = certificate.header.height.0;
            assert_eq!(member.header(height).await, certificate.header);
            assert_eq!(member.certificate(height).await, *certificate);
        }
    }
    members[1].submit("after the restart").await.unwrap();
    until_settled(&members, 21).await;
    for member in &members {
        assert!(member.certified().await > certified);
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
}
