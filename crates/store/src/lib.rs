//! Crash-safe storage of a validator: two stores on a disk that tests can break.
//!
//! - [`wal`]: a segmented write-ahead log for what safety hangs on: own blocks and votes, and what they depend on. One write and
//!   one sync make everything that waits durable; what was acknowledged is read back unchanged, or opening fails and says where.
//! - [`tables`]: transactional tables over redb for what can be rebuilt or verified: indices, certificates, state.
//! - [`disk`]: the few file operations both need. [`disk::OsDisk`] is the real file system; [`disk::MemoryDisk`] is a simulated one that
//!   loses, tears and reorders whatever was not synced, fills up, fails and decays on demand, all from a seed.
//!
//! The crate stores bytes and does not know what they mean. It has no threads of its own and every call blocks until the disk is
//! done: give each store a thread. The model: a disk may lose or tear what was not synced, and may return damaged bytes later; it
//! may not return damaged bytes that fit their CRC-32. Damage is detected, not repaired: a node recovers from its peers.
//!
//! The log is not locked against a second process. Open the tables of the same node first, whose file is.
//!
//! ```
//! use quorate_store::disk::MemoryDisk;
//! use quorate_store::wal::{Sequence, Wal, WalOptions};
//!
//! let mut disk = MemoryDisk::new();
//! let options = WalOptions::new([7; 32]);
//! let (mut wal, _) = Wal::open(disk.clone(), options, |_| ())?;
//! let position = wal.append(1, b"own block, round 4")?;
//! assert_eq!(wal.flush()?, Sequence(1)); // Only now may the block leave the node.
//! wal.append(1, b"never flushed")?;
//!
//! disk.crash(42);
//! let mut replayed = Vec::new();
//! let (wal, recovered) = Wal::open(disk, options, |record| replayed.push(record.payload.to_vec()))?;
//! assert_eq!(recovered.records, 1);
//! assert_eq!(replayed, [b"own block, round 4"]);
//! assert_eq!(wal.read(position)?.payload, b"own block, round 4");
//! # Ok::<(), quorate_store::wal::WalError>(())
//! ```
//!
//! ```
//! use quorate_store::disk::MemoryDisk;
//! use quorate_store::tables::{Batch, Table, Tables, TablesOptions};
//!
//! const HEADERS: Table = Table("headers");
//! let disk = MemoryDisk::new();
//! let tables = Tables::open_on(&disk, "tables.redb", &TablesOptions::new([7; 32]))?;
//! let mut batch = Batch::new();
//! batch.put(HEADERS, 9u64.to_be_bytes(), b"header 9").put(HEADERS, 10u64.to_be_bytes(), b"header 10");
//! tables.commit(&batch)?;
//! assert_eq!(tables.last(HEADERS)?.map(|(_, header)| header), Some(b"header 10".to_vec()));
//! # Ok::<(), quorate_store::tables::TablesError>(())
//! ```

#![forbid(unsafe_code)]

pub mod disk;
pub mod tables;
pub mod wal;
