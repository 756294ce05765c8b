//! What is wrong around the store: directories, ports, keys, peers.

use std::net::{Ipv4Addr, SocketAddr};

use quorate_node::config::{Config, Peer};
use quorate_node::keystore::Secrets;
use quorate_node::{Node, NodeError};
use quorate_store::disk::DiskError;
use quorate_types::ValidatorIndex;
use quorate_validator::KeyError;
use tokio::net::TcpListener;

use crate::committee::Committee;

async fn refusal(config: Config, secrets: Secrets) -> NodeError {
    let started = Node::start(config, secrets).await;
    started.err().expect("the start is refused")
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let committee = Committee::new(8);
    let file = committee.directory.path().join("a-file");
    std::fs::write(&file, b"in the way").unwrap();
    for directory in [file.join("data"), file.clone()] {
        let config = committee.lone_config(0, &directory);
        let error = refusal(config, committee.secrets(0)).await;
        let NodeError::DataDirectory { path, error } = error else {
            panic!("{error:?}");
        };
        assert_eq!(path, directory);
        assert!(
            matches!(error, DiskError::Io { .. } | DiskError::AlreadyExists),
            "{error:?}"
        );
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"in the way");
}

#[tokio::test]
async fn a_port_in_use_is_named_and_nothing_is_made() {
    let committee = Committee::new(9);
    let taken = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let taken = taken.await.unwrap();
    let in_use = taken.local_addr().unwrap();
    for name in ["public", "admin", "peer", "metrics"] {
        let mut config = committee.lone_config(0, committee.data_dir(0));
        match name {
            "public" => config.listen.public = in_use,
            "admin" => config.listen.admin = in_use,
            "peer" => config.listen.peer = in_use,
            _ => config.listen.metrics = in_use,
        }
        let error = refusal(config, committee.secrets(0)).await;
        assert!(error.to_string().contains(&in_use.to_string()), "{error}");
        let NodeError::Listen {
            what,
            address,
            error,
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((what, address), (name, in_use));
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        assert!(!committee.data_dir(0).exists());
    }
}

#[tokio::test]
async fn peers_and_keys_that_are_no_members_are_refused() {
    let committee = Committee::new(10);
    let stranger = Committee::new(11);
    let identity = stranger.genesis.members[0].identity;
    let mut config = committee.lone_config(0, committee.data_dir(0));
    config.peers.push(Peer {
        identity,
        address: "127.0.0.1:1".into(),
    });
    let error = refusal(config, committee.secrets(0)).await;
    assert!(
        matches!(error, NodeError::UnknownPeer { identity: found } if found == identity),
        "{error:?}"
    );

    let config = committee.lone_config(0, committee.data_dir(0));
    let error = refusal(config.clone(), stranger.secrets(0)).await;
    assert!(
        matches!(error, NodeError::Keys(KeyError::NotMember)),
        "{error:?}"
    );

    let mixed = Secrets {
        identity: committee.secrets(0).identity,
        share: committee.secrets(1).share,
    };
    let error = refusal(config, mixed).await;
    assert!(
        matches!(
            error,
            NodeError::Keys(KeyError::ForeignShare {
                index: ValidatorIndex(0)
            })
        ),
        "{error:?}"
    );
    assert!(!committee.data_dir(0).exists());
}
