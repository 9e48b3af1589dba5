#pragma once
// POST /predict, a path that four services share: the body tells which of them is meant.

#include "calls.hpp"

namespace service {

/// Reads the body of any of these, each with the errors of its service:
///   {"inputs": ...}   Text Embeddings Inference; other fields may stand beside it
///   {"text": "..."}   {"text","sentiment","confidence","scores"}: a text of 1 to 5,000 characters
///   {"payload": "..."}   {"Raw Text","Categories"}: the label in lower case
///   {"values": [...]}   {"predictions":[labels]}: texts, or rows of token ids with their special tokens
/// A reranker takes "inputs" only.
Writer read_predict(Call& call);

} // namespace service
