//! Submit and ledger services.

use std::time::Duration;

use bytes::Bytes;
use quorate_node::api::{ApiOptions, BATCH_TRANSACTIONS_MAX};
use quorate_rpc::ledger::v1::ledger_service_client::LedgerServiceClient;
use quorate_rpc::ledger::v1::{
    GetAccountRequest, GetCertificateRequest, GetHeaderRequest, GetServiceInfoRequest,
    ListCertificatesRequest,
};
use quorate_rpc::submit::v1::submit_service_client::SubmitServiceClient;
use quorate_rpc::submit::v1::{
    BatchSubmitTransactionsRequest, GetOutcomeRequest, SubmitTransactionRequest, WaitFor,
    get_outcome_response, submit_result,
};
use quorate_rpc::{ErrorReason, metadata_of, reason_of, retry_after_of};
use quorate_types::{Account, Certificate, Encode, Header, MerkleProof, TransactionId};
use tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::chain::{Chain, HEIGHTS, account, certificate, connect, header, receipt, serve};

type Submit = SubmitServiceClient<Channel>;
type Ledger = LedgerServiceClient<Channel>;

fn submit(transaction: impl Into<Bytes>) -> SubmitTransactionRequest {
    SubmitTransactionRequest {
        transaction: transaction.into(),
        wait: WaitFor::Unspecified.into(),
    }
}

fn expect(status: &Status, code: Code, reason: ErrorReason) {
    assert_eq!(
        (status.code(), reason_of(status)),
        (code, Some(reason)),
        "{status:?}"
    );
}

#[tokio::test]
async fn submission_answers_each_fault_with_its_reason() {
    let chain = Chain::new(HEIGHTS);
    let public = serve(&chain, ApiOptions::default()).await;
    let mut client = Submit::new(connect(public.address).await);

    let answer = client
        .submit_transaction(submit(&b"a"[..]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.transaction_id, [b'a'; 32].as_slice());
    assert!(answer.outcome.is_none());

    let long = vec![b'a'; 16 * 1024 + 1];
    let cases: [(Bytes, Code, ErrorReason); 7] = [
        (
            Bytes::new(),
            Code::InvalidArgument,
            ErrorReason::InvalidField,
        ),
        (
            long.into(),
            Code::InvalidArgument,
            ErrorReason::InvalidField,
        ),
        (
            Bytes::from_static(b"B"),
            Code::InvalidArgument,
            ErrorReason::TransactionRejected,
        ),
        (
            Bytes::from_static(b"S"),
            Code::FailedPrecondition,
            ErrorReason::TransactionRejected,
        ),
        (
            Bytes::from_static(b"F"),
            Code::ResourceExhausted,
            ErrorReason::PoolFull,
        ),
        (
            Bytes::from_static(b"N"),
            Code::Unavailable,
            ErrorReason::NotReady,
        ),
        (
            Bytes::from_static(b"D"),
            Code::Unavailable,
            ErrorReason::ShuttingDown,
        ),
    ];
    for (transaction, code, reason) in cases {
        let status = client
            .submit_transaction(submit(transaction))
            .await
            .unwrap_err();
        expect(&status, code, reason);
        if reason == ErrorReason::PoolFull {
            assert_eq!(retry_after_of(&status), Some(Duration::from_millis(70)));
        }
        if code == Code::FailedPrecondition {
            assert_eq!(metadata_of(&status, "code").as_deref(), Some("2002"));
        }
    }
    let mut unknown = submit(&b"a"[..]);
    unknown.wait = 99;
    let status = client.submit_transaction(unknown).await.unwrap_err();
    expect(&status, Code::InvalidArgument, ErrorReason::InvalidField);
}

#[tokio::test]
async fn items_of_a_batch_fail_alone() {
    let chain = Chain::new(HEIGHTS);
    let public = serve(&chain, ApiOptions::default()).await;
    let mut client = Submit::new(connect(public.address).await);
    let batch = |transactions: Vec<Bytes>| BatchSubmitTransactionsRequest { transactions };

    let transactions = [&b"x"[..], b"", b"S", b"y"].map(Bytes::from_static);
    let answer = client
        .batch_submit_transactions(batch(transactions.to_vec()))
        .await;
    let results = answer.unwrap().into_inner().results;
    let reasons: Vec<Result<Bytes, (ErrorReason, Option<u32>)>> = results
        .into_iter()
        .map(|result| match result.result.unwrap() {
            submit_result::Result::AcceptedTransactionId(id) => Ok(id),
            submit_result::Result::Failure(failure) => Err((failure.reason(), failure.reject_code)),
        })
        .collect();
    assert_eq!(
        reasons,
        [
            Ok(Bytes::from_static(&[b'x'; 32])),
            Err((ErrorReason::InvalidField, None)),
            Err((ErrorReason::TransactionRejected, Some(2002))),
            Ok(Bytes::from_static(&[b'y'; 32])),
        ]
    );

    let status = client
        .batch_submit_transactions(batch(Vec::new()))
        .await
        .unwrap_err();
    expect(&status, Code::InvalidArgument, ErrorReason::InvalidField);
    let many = vec![Bytes::from_static(b"x"); BATCH_TRANSACTIONS_MAX + 1];
    let status = client
        .batch_submit_transactions(batch(many))
        .await
        .unwrap_err();
    expect(&status, Code::InvalidArgument, ErrorReason::TooManyItems);
    let large = vec![Bytes::from(vec![b'x'; 16 * 1024]); 257];
    let status = client
        .batch_submit_transactions(batch(large))
        .await
        .unwrap_err();
    assert_eq!(
        status.code(),
        Code::OutOfRange,
        "4 MiB and a bit are refused unread: {status:?}"
    );
}

#[tokio::test]
async fn a_call_waits_as_far_as_it_asks() {
    let chain = Chain::new(3);
    let public = serve(&chain, ApiOptions::default()).await;
    let client = Submit::new(connect(public.address).await);
    let waiting = |wait: WaitFor| {
        let mut client = client.clone();
        let request = SubmitTransactionRequest {
            transaction: Bytes::from_static(b"w"),
            wait: wait.into(),
        };
        tokio::spawn(async move { client.submit_transaction(request).await })
    };
    let (committed, certified) = (waiting(WaitFor::Committed), waiting(WaitFor::Certified));
    chain.order(TransactionId([b'w'; 32]), Some(4));
    chain.advance(4, 3, 1);
    let outcome = committed
        .await
        .unwrap()
        .unwrap()
        .into_inner()
        .outcome
        .unwrap();
    assert_eq!((outcome.height, outcome.certificate.is_some()), (4, false));
    assert!(!certified.is_finished());
    chain.advance(4, 4, 1);
    let outcome = certified
        .await
        .unwrap()
        .unwrap()
        .into_inner()
        .outcome
        .unwrap();
    let carried = Certificate::try_from(&outcome.certificate.unwrap());
    assert_eq!(carried, Ok(certificate(4)));

    let mut request = Request::new(SubmitTransactionRequest {
        transaction: Bytes::from_static(b"never"),
        wait: WaitFor::Committed.into(),
    });
    request.set_timeout(Duration::from_millis(300));
    let status = client
        .clone()
        .submit_transaction(request)
        .await
        .unwrap_err();
    expect(&status, Code::DeadlineExceeded, ErrorReason::WaitTimeout);
    assert_eq!(
        metadata_of(&status, "transaction_id"),
        Some("6e".repeat(32))
    );
}

#[tokio::test]
async fn outcomes_carry_their_proof() {
    let chain = Chain::new(HEIGHTS);
    let public = serve(&chain, ApiOptions::default()).await;
    let mut client = Submit::new(connect(public.address).await);
    let id = TransactionId([0xee; 32]);
    chain.order(id, Some(2));
    let ask = |id: &[u8]| GetOutcomeRequest {
        transaction_id: Bytes::copy_from_slice(id),
    };
    let status = client
        .get_outcome(ask(&id.0))
        .await
        .unwrap()
        .into_inner()
        .status;
    let Some(get_outcome_response::Status::Outcome(outcome)) = status else {
        panic!("it was ordered");
    };
    let proof = MerkleProof::try_from(&outcome.inclusion.unwrap()).unwrap();
    let carried = Header::try_from(&outcome.header.unwrap()).unwrap();
    let leaf = outcome.receipt.unwrap().canonical;
    assert_eq!(leaf, receipt(id).to_bytes());
    assert!(proof.verifies(&carried.receipts_root, &leaf));

    chain.order(TransactionId([1; 32]), None);
    let status = client
        .get_outcome(ask(&[1; 32]))
        .await
        .unwrap()
        .into_inner()
        .status;
    assert!(matches!(
        status,
        Some(get_outcome_response::Status::Pending(_))
    ));
    let status = client.get_outcome(ask(&[2; 32])).await.unwrap_err();
    expect(&status, Code::NotFound, ErrorReason::TransactionUnknown);
    let status = client.get_outcome(ask(&[2; 31])).await.unwrap_err();
    expect(&status, Code::InvalidArgument, ErrorReason::InvalidField);
    let status = client.get_outcome(ask(&[0xbb; 32])).await.unwrap_err();
    expect(&status, Code::Internal, ErrorReason::Internal);
    assert!(metadata_of(&status, "incident").is_some());
    assert!(
        !format!("{status:?}").contains("secret"),
        "details stay in the log"
    );
}

#[tokio::test]
async fn reads_and_their_faults() {
    let chain = Chain::new(HEIGHTS);
    chain.advance(HEIGHTS + 1, HEIGHTS, 3);
    let public = serve(&chain, ApiOptions::default()).await;
    let mut client = Ledger::new(connect(public.address).await);

    let info = client
        .get_service_info(GetServiceInfoRequest {})
        .await
        .unwrap()
        .into_inner()
        .info
        .unwrap();
    assert_eq!(
        (info.head_height, info.lowest_available_height),
        (Some(HEIGHTS), Some(3))
    );
    assert_eq!((info.shard, info.executes), (Some(0), Some(true)));

    let ask = |id: &[u8], height| GetAccountRequest {
        account_id: Bytes::copy_from_slice(id),
        height,
    };
    let found = client
        .get_account(ask(&account().id().0, None))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(Account::try_from(&found.account.unwrap()), Ok(account()));
    let absent = client
        .get_account(ask(&[1; 32], Some(5)))
        .await
        .unwrap()
        .into_inner();
    assert!(
        absent.account.is_none() && absent.proof.is_some(),
        "absence is proved, not an error"
    );
    assert_eq!(Header::try_from(&absent.header.unwrap()), Ok(header(5)));
    let status = client.get_account(ask(&[1; 33], None)).await.unwrap_err();
    expect(&status, Code::InvalidArgument, ErrorReason::InvalidField);
    let status = client
        .get_account(ask(&[1; 32], Some(1)))
        .await
        .unwrap_err();
    expect(&status, Code::OutOfRange, ErrorReason::HeightPruned);
    assert_eq!(
        metadata_of(&status, "lowest_available_height").as_deref(),
        Some("2")
    );

    let latest = client
        .get_header(GetHeaderRequest { height: None })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        Header::try_from(&latest.header.unwrap()),
        Ok(header(HEIGHTS + 1))
    );
    let genesis = client
        .get_header(GetHeaderRequest { height: Some(0) })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(genesis.header.unwrap().height, Some(0));
    let status = client
        .get_header(GetHeaderRequest { height: Some(99) })
        .await
        .unwrap_err();
    expect(&status, Code::OutOfRange, ErrorReason::HeightNotReached);

    let latest = client
        .get_certificate(GetCertificateRequest { height: None })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        Certificate::try_from(&latest.certificate.unwrap()),
        Ok(certificate(HEIGHTS))
    );
    let cases = [
        (0, Code::InvalidArgument, ErrorReason::InvalidField),
        (2, Code::OutOfRange, ErrorReason::HeightPruned),
        (HEIGHTS + 1, Code::OutOfRange, ErrorReason::HeightNotReached),
    ];
    for (height, code, reason) in cases {
        let request = GetCertificateRequest {
            height: Some(height),
        };
        let status = client.get_certificate(request).await.unwrap_err();
        expect(&status, code, reason);
    }
    let status =
        Ledger::new(connect(serve(&Chain::new(0), ApiOptions::default()).await.address).await)
            .get_certificate(GetCertificateRequest { height: None })
            .await
            .unwrap_err();
    expect(&status, Code::OutOfRange, ErrorReason::HeightNotReached);
}

#[tokio::test]
async fn pages_join_to_the_whole_and_their_tokens_bind_the_parameters() {
    let chain = Chain::new(HEIGHTS);
    let public = serve(&chain, ApiOptions::default()).await;
    let mut client = Ledger::new(connect(public.address).await);
    // A list that should go beyond the head ends where the head was.
    let sizes = [1, 5, 12, 13, 0, u32::MAX];
    for (size, to_height) in sizes.into_iter().zip([None, Some(99)].into_iter().cycle()) {
        let mut request = ListCertificatesRequest {
            to_height,
            page_size: size,
            ..Default::default()
        };
        let mut heights = Vec::new();
        loop {
            let page = client
                .list_certificates(request.clone())
                .await
                .unwrap()
                .into_inner();
            heights.extend(
                page.certificates
                    .iter()
                    .map(|found| found.header.as_ref().unwrap().height()),
            );
            // What comes after the first page is not part of the list.
            chain.advance(HEIGHTS + 2, HEIGHTS + 2, 1);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        chain.advance(HEIGHTS, HEIGHTS, 1);
        assert_eq!(
            heights,
            (1..=HEIGHTS).collect::<Vec<_>>(),
            "pages of {size}"
        );
    }

    let first = ListCertificatesRequest {
        from_height: Some(2),
        to_height: Some(9),
        page_size: 3,
        ..Default::default()
    };
    let token = client
        .list_certificates(first.clone())
        .await
        .unwrap()
        .into_inner()
        .next_page_token;
    let mut cut = token.to_vec();
    cut.pop();
    let faults = [
        (Some(3), token.clone(), ErrorReason::BadPageToken),
        (Some(2), cut.into(), ErrorReason::BadPageToken),
        (Some(0), Bytes::new(), ErrorReason::InvalidField),
        (Some(10), Bytes::new(), ErrorReason::InvalidField),
    ];
    for (from_height, page_token, reason) in faults {
        let request = ListCertificatesRequest {
            from_height,
            page_token,
            ..first.clone()
        };
        let status = client.list_certificates(request).await.unwrap_err();
        expect(&status, Code::InvalidArgument, reason);
    }
    let far = ListCertificatesRequest {
        from_height: Some(HEIGHTS + 1),
        ..Default::default()
    };
    let status = client.list_certificates(far).await.unwrap_err();
    expect(&status, Code::OutOfRange, ErrorReason::HeightNotReached);
}

#[tokio::test]
async fn oversized_queries_are_refused() {
    let public = serve(&Chain::new(HEIGHTS), ApiOptions::default()).await;
    let mut client = Ledger::new(connect(public.address).await);
    let request = GetAccountRequest {
        account_id: Bytes::from(vec![1; 17 * 1024]),
        height: None,
    };
    let status = client.get_account(request).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
}

#[tokio::test]
async fn health_and_reflection() {
    let public = serve(&Chain::new(HEIGHTS), ApiOptions::default()).await;
    let channel = connect(public.address).await;
    let mut health = HealthClient::new(channel.clone());
    for serving in [false, true] {
        public.health.set_serving(serving).await;
        for service in [
            "",
            "quorate.submit.v1.SubmitService",
            "quorate.ledger.v1.LedgerService",
        ] {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let status = health.check(request).await.unwrap().into_inner().status();
            assert_eq!(status == ServingStatus::Serving, serving, "{service}");
        }
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.next().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("services were asked for");
    };
    let names: Vec<String> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for name in [
        "quorate.submit.v1.SubmitService",
        "quorate.ledger.v1.LedgerService",
        "grpc.health.v1.Health",
    ] {
        assert!(
            names.iter().any(|listed| listed == name),
            "{name} is not in {names:?}"
        );
    }
    assert!(
        !names
            .iter()
            .any(|name| name.contains("admin") || name.contains("peer")),
        "{names:?}"
    );
}
