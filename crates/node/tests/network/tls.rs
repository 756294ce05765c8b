//! Who gets through, and as whom.

use quorate_node::net::{CONNECTIONS_PER_PEER_MAX, PeerTls, TlsError};
use quorate_rpc::reason_of;
use quorate_types::{ChainId, ValidatorIndex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::chain::CHAIN;
use crate::peer_fake::{committee, dial, hello, listen, secret, tls, usual};

#[tokio::test]
async fn members_connect_and_are_known_by_their_keys() {
    let committee = usual();
    let server = listen(&committee, tls(&committee, 0, 1)).await;
    for (index, seed) in [(1, 2), (2, 3), (3, 4)] {
        let mut client = dial(&tls(&committee, index, seed), 0, server.address);
        let answer = hello(&mut client, &committee).await.unwrap();
        assert_eq!(answer.caller_highest_round, Some(1_000 + u64::from(index)));
    }
}

/// A refusal shows as a broken transport, not as a status of the service.
async fn refused(server: &crate::peer_fake::Listening, tls: &PeerTls, expected: u16) {
    let mut client = dial(tls, expected, server.address);
    let status = hello(&mut client, &usual()).await.unwrap_err();
    assert_eq!(reason_of(&status), None, "{status:?}");
}

#[tokio::test]
async fn strangers_are_refused() {
    let server = listen(&usual(), tls(&usual(), 0, 1)).await;
    // A stranger that takes itself for member 3 of a committee with the right name.
    let own_idea = committee(CHAIN, 1, [1, 2, 3, 66]);
    refused(&server, &tls(&own_idea, 3, 66), 0).await;
    // The own identity, from elsewhere.
    refused(&server, &tls(&usual(), 0, 1), 0).await;
    // The listener goes on.
    let mut client = dial(&tls(&usual(), 1, 2), 0, server.address);
    assert!(hello(&mut client, &usual()).await.is_ok());
}

#[tokio::test]
async fn a_member_cannot_stand_for_another() {
    let server = listen(&usual(), tls(&usual(), 0, 1)).await;
    // Member 1 dials member 2's address and finds member 0 there.
    refused(&server, &tls(&usual(), 1, 2), 2).await;
    // And to claim another's index takes another's secret.
    let claimed = PeerTls::new(&usual(), ValidatorIndex(2), &secret(2));
    assert!(matches!(claimed, Err(TlsError::WrongIdentity { .. })));
    let nobody = PeerTls::new(&usual(), ValidatorIndex(4), &secret(2));
    assert!(matches!(
        nobody,
        Err(TlsError::NoSuchMember { size: 4, .. })
    ));
}

#[tokio::test]
async fn other_chains_and_epochs_are_refused() {
    let server = listen(&usual(), tls(&usual(), 0, 1)).await;
    for other in [
        committee(CHAIN, 2, [1, 2, 3, 4]),
        committee(ChainId([8; 32]), 1, [1, 2, 3, 4]),
    ] {
        refused(&server, &tls(&other, 1, 2), 0).await;
    }
    // Chains that differ only where the name does not show it meet in Hello.
    let mut chain = CHAIN;
    chain.0[31] ^= 1;
    let near = committee(chain, 1, [1, 2, 3, 4]);
    let mut client = dial(&tls(&near, 1, 2), 0, server.address);
    let status = hello(&mut client, &near).await.unwrap_err();
    assert_eq!(
        reason_of(&status),
        Some(quorate_rpc::ErrorReason::WrongNetwork)
    );
}

#[tokio::test]
async fn one_peer_has_few_connections_and_plain_text_none() {
    let committee = usual();
    let server = listen(&committee, tls(&committee, 0, 1)).await;
    let mine = tls(&committee, 1, 2);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS_PER_PEER_MAX {
        let mut client = dial(&mine, 0, server.address);
        hello(&mut client, &committee).await.unwrap();
        clients.push(client);
    }
    assert!(
        hello(&mut dial(&mine, 0, server.address), &committee)
            .await
            .is_err()
    );
    let mut other = dial(&tls(&committee, 2, 3), 0, server.address);
    assert!(
        hello(&mut other, &committee).await.is_ok(),
        "others have places of their own"
    );

    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Either a TLS alert or a reset; never HTTP/2.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(answer.len() <= 7, "{answer:?}");
}
