//! The operator's service.

use quorate_crypto::{SignatureError, ThresholdPublic};
use quorate_dkg::Transcript;
use quorate_node::ceremony::{CeremonyNode, Ended, Until};
use quorate_rpc::admin::v1::ceremony_service_client::CeremonyServiceClient;
use quorate_rpc::admin::v1::{
    CeremonyPhase, ExplainCeremonyRequest, GetCeremonyStatusRequest, GetTranscriptRequest,
    ListCeremonyEvidenceRequest, ProveShareRequest, StopCeremonyRequest, WatchCeremonyRequest,
};
use quorate_rpc::{ErrorReason, reason_of};
use quorate_types::{Decode, DomainTag, Signature};
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::Channel;

use crate::world::{HANG, World, completed, stop_all};

async fn client(node: &CeremonyNode) -> CeremonyServiceClient<Channel> {
    let address = node.addresses().admin;
    CeremonyServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_what_is_waited_for_and_have_shares_proved() {
    let world = World::new();
    let mut config = world.config(0);
    config.until = Until::Stopped;
    let mut first = world.start_with(config, 0).await.unwrap();
    let mut operator = client(&first).await;

    let explained = operator.explain_ceremony(ExplainCeremonyRequest {}).await;
    let explained = explained.unwrap().into_inner();
    assert_eq!(explained.waits.len(), 1);
    assert_eq!(explained.waits[0].members, [1, 2, 3]);
    let early = operator
        .get_transcript(GetTranscriptRequest {})
        .await
        .unwrap_err();
    assert_eq!(reason_of(&early), Some(ErrorReason::CeremonyIncomplete));
    let challenge = ProveShareRequest {
        challenge: vec![7; 32].into(),
    };
    let early = operator.prove_share(challenge.clone()).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    let request = WatchCeremonyRequest {};
    let mut watched = operator.watch_ceremony(request).await.unwrap().into_inner();
    let seen = watched.message().await.unwrap().unwrap().status.unwrap();
    assert_eq!(seen.phase(), CeremonyPhase::Starting);
    assert_eq!(seen.peers[2].name, "member-3");

    let others = world.start_all(1..4).await;
    completed(&first).await;
    let mut phases = vec![seen.phase()];
    while *phases.last().unwrap() != CeremonyPhase::Complete {
        let message = timeout(HANG, watched.message()).await.unwrap().unwrap();
        phases.push(message.unwrap().status.unwrap().phase());
    }
    assert!(phases.is_sorted(), "{phases:?}");

    let request = GetCeremonyStatusRequest {};
    let status = operator
        .get_ceremony_status(request)
        .await
        .unwrap()
        .into_inner()
        .status
        .unwrap();
    let transcript = world.transcript(0);
    assert_eq!(status.group_key, transcript.keys.group.as_ref());
    assert_eq!(status.transcript_hash, transcript.hash().as_ref());
    assert!(status.dealers.len() >= 3);

    let proof = operator.prove_share(challenge).await.unwrap().into_inner();
    assert_eq!(proof.share_key, transcript.keys.shares[0].as_ref());
    assert_eq!(verify(&world, &transcript, &proof.signature, 7), Ok(()));
    assert!(verify(&world, &transcript, &proof.signature, 8).is_err());
    let short = ProveShareRequest {
        challenge: vec![7; 31].into(),
    };
    let refused = operator.prove_share(short).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(ErrorReason::InvalidField));

    let request = GetTranscriptRequest {};
    let mut parts = operator.get_transcript(request).await.unwrap().into_inner();
    let mut bytes = Vec::new();
    while let Some(part) = parts.message().await.unwrap() {
        bytes.extend_from_slice(&part.part);
    }
    assert_eq!(Transcript::from_bytes(&bytes).unwrap(), transcript);

    let mut request = ListCeremonyEvidenceRequest::default();
    let page = operator
        .list_ceremony_evidence(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(page.evidence.is_empty() && page.next_page_token.is_empty());
    request.page_token = vec![1, 2, 3].into();
    let refused = operator.list_ceremony_evidence(request).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(ErrorReason::BadPageToken));

    operator
        .stop_ceremony(StopCeremonyRequest {})
        .await
        .unwrap();
    assert_eq!(
        timeout(HANG, first.wait()).await.unwrap().unwrap(),
        Ended::Asked
    );
    first.stop().await.unwrap();
    stop_all(others).await;
}

/// Checks a proof as anybody can who has the transcript.
fn verify(
    world: &World,
    transcript: &Transcript,
    signature: &[u8],
    challenge: u8,
) -> Result<(), SignatureError> {
    let mut message = DomainTag::ShareChallenge.bytes().to_vec();
    message.extend_from_slice(world.ceremony.id().as_ref());
    message.extend_from_slice(&[challenge; 32]);
    let share = transcript.keys.shares[0];
    // One share key is a group key of one.
    let public = ThresholdPublic::parse(&share, &[share], 1).unwrap();
    public.verify(&message, &Signature(signature.try_into().unwrap()))
}
