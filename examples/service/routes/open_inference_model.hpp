#pragma once
// The model as the Open Inference Protocol sees it: named tensors in, named tensors out.

#include "../inference/inference.hpp"
#include "calls.hpp"
#include "open_inference_request.hpp"

#include <vector>

namespace service {

/// Its tensors. Inputs are either texts, `text` with `text_pair` for the second text of each pair, or token ids as they
/// are, `input_ids` with `attention_mask` and, if the model has token types, `token_type_ids`.
ModelTensors tensors_of(const Engine& engine);

/// Adds the texts that the inputs hold to the call. Throws Problem: if the inputs do not go together, are more than
/// Context::max_bulk_texts, hold ids that the model does not know, rows that are too long, or padding that is not at
/// the end.
void add_texts(const std::vector<InputTensor>& inputs, Call& call);

/// Throws Problem for a classification of what has no classes.
void check_classification(const std::vector<WantedOutput>& wanted);

/// What is wanted of the answer, in that order. `embedding` has length 1.
std::vector<OutputTensor> output_tensors(const std::vector<WantedOutput>& wanted, const Engine& engine,
                                         const Answer& answer);

} // namespace service
