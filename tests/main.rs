//! The one integration-test binary: each file beside this one is a module and a topic.

mod licences;
mod oracle;
mod support;
mod tidy;
