//! Home of the workspace's examples, integration tests and benches; it has no code of its own.
