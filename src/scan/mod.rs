//! Payload to hits.
