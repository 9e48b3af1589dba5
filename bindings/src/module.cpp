// distilbert._core: the library as Python sees it. _core.pyi holds the manual.

#include "bind.hpp"
#include "options.hpp"

#include <distilbert/version.hpp>

namespace py = pybind11;

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "DistilBERT on CPUs: what distilbert.cpp computes, for Python.";
  module.attr("__version__") = distilbert::version();

  bindings::bind_errors(module);
  bindings::bind_settings(module);
  bindings::bind_tokenizer(module);
  bindings::bind_text_classifier(module);
  bindings::bind_distilbert_model(module);
  bindings::bind_sentence_embedder(module);
  bindings::bind_token_classifier(module);
  bindings::bind_question_answerer(module);
  bindings::bind_masked_lm(module);
  bindings::bind_multiple_choice(module);
  bindings::bind_zero_shot_classifier(module);
  bindings::bind_convert(module);
  bindings::finish(module);
}
