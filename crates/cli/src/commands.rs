//! One module for each small command.

pub(crate) mod account;
pub(crate) mod certificate;
pub(crate) mod committee;
pub(crate) mod db;
pub(crate) mod genesis;
pub(crate) mod keys;
pub(crate) mod run;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod transaction;
