#pragma once
// The module's parts. Each class is bound in a file of its own; module.cpp calls them in order.

#include <pybind11/pybind11.h>

namespace bindings {

namespace py = pybind11;

void bind_errors(py::module_& module);
void bind_tokenizer(py::module_& module);
void bind_text_classifier(py::module_& module);
void bind_distilbert_model(py::module_& module);
void bind_sentence_embedder(py::module_& module);
void bind_token_classifier(py::module_& module);
void bind_question_answerer(py::module_& module);
void bind_masked_lm(py::module_& module);
void bind_multiple_choice(py::module_& module);
void bind_zero_shot_classifier(py::module_& module);
void bind_convert(py::module_& module);

/// After all others.
void finish(py::module_& module);

} // namespace bindings
