//! Publicly verifiable secret sharing: dealings that everybody can check and each member can decrypt its shares from.
//!
//! A [`deal`]er shares one or two secrets, each in a lane of its own with its own threshold t, among n members. It
//! commits to every share in G2 and encrypts it in G1, cut into sixteen chunks of 16 bits, to the member's key
//! (ElGamal in the exponent, one random number for each column of chunks). Two proofs show without any interaction
//! that the chunks are small enough to be found again and that they make the committed shares; a test shows that the
//! shares lie on a polynomial with t coefficients. The scheme is Groth's (ePrint 2021/339) without its layer of forward
//! security, with challenges of one bit in the proof of chunking and with commitments to values (SCRAPE, ePrint
//! 2017/216) in place of coefficients.
//!
//! [`Dealing::validate`] is a function of bytes: no clock, no random number, no state. Whoever has the same bytes has
//! the same verdict, and a refused dealing with its dealer's signature is evidence.
//!
//! # What a dealing says
//! Let g and h generate G1 and G2, y_k be the key of member k = 1..n and s_lk the share of member k in lane l (k = 0:
//! the secret), with chunks m_kc in columns c = 16 l + j. The instance consists of
//! V_lk = s_lk h, R_c = r_c g and C_kc = r_c y_k + m_kc g, with the context, the parameters and all keys.
//!
//! Chunking, for repetitions i = 1..128: the dealer sends y0, B_i = b_i g and G_i = b_i y0 + q_i g for a blind q_i;
//! bits e_kci follow; the sums z_i = q_i + (sum of e_kci m_kc) are sent, with D_k = d_k g (k = 0..n) and
//! Y = d_0 y0 + sum of d_k y_k; a challenge x follows, and e_kc stands for the sum of e_kci x^i. The responses are
//! t_k = d_k + sum of e_kc r_c and t0 = d_0 + sum of b_i x^i. Sharing: a challenge u mixes the members; the dealer
//! sends F_l = p_l g, A_l = o_l h and X_l = p_l (sum of u^k y_k) + o_l g; a challenge w follows, and the responses
//! are a_l = w (sum of 2^16j r_c) + p_l and b_l = w (sum of u^k s_lk) + o_l. All z_i must be below the
//! [bound](Parameters::chunk_bound) Z. The verifier checks, in one sum in G1 and one in G2:
//!
//! 1. for each k: the sum of e_kc R_c, plus D_k, is t_k g
//! 2. the sum of x^i B_i, plus D_0, is t0 g
//! 3. the sum of e_kc C_kc, plus that of x^i G_i, plus Y, is that of t_k y_k, plus t0 y0, plus (sum of x^i z_i) g
//! 4. for each l: w (sum of 2^16j R_c) + F_l = a_l g
//! 5. for each l: w (sum of u^k V_lk) + A_l = b_l h
//! 6. for each l: w (sum of u^k 2^16j C_kc) + X_l = a_l (sum of u^k y_k) + b_l g
//! 7. for each l: V_l0, ..., V_ln is orthogonal to a random word of the dual code
//!
//! What is proven of a chunk is that it is between -Z and Z, not that it has 16 bits. A dealer that makes larger ones
//! costs its receiver a longer search and can be convicted.

mod challenge;
#[cfg(feature = "test-utils")]
pub mod cheat;
mod chunking;
mod deal;
mod decrypt;
mod degree;
mod discrete_log;
mod encoding;
mod encryption;
mod equations;
mod opening;
mod parallel;
mod parameters;
mod randomness;
mod recipients;
mod sharing;
mod statement;
mod validate;

pub use deal::{DealError, deal};
pub use decrypt::{ChunkFault, DecryptError, Decrypted};
pub use discrete_log::ChunkTable;
pub use encoding::Part;
pub use opening::{ChunkOpening, OpeningError};
pub use parallel::{Parallel, Sequential};
pub use parameters::{Parameters, ParametersError};
pub use validate::{Dealing, DealingError};

pub use encryption::{EncryptionSecret, KeyProofError, verify_key_proof};
pub use randomness::hedged_rng;
pub use recipients::{Recipients, RecipientsError};

/// Bytes of a hash that are reduced to a challenge: 48, so that the bias is below 2^-128 (RFC 9380 section 5.1).
const CHALLENGE_BYTES: usize = 48;
