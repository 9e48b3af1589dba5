// DistilBertModel: the encoder alone, from texts or token ids to hidden states.

#include "arrays.hpp"
#include "bind.hpp"
#include "loading.hpp"
#include "texts.hpp"

#include <distilbert/tasks/task.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace bindings {

namespace {

using namespace distilbert;

/// The last hidden states [tokens, dim] as the answer of a task.
class LastHiddenState {
public:
  static LastHiddenState load(const PackedModel& weights, const DistilBertConfig& config) {
    return {DistilBertModel::load(weights, config), config.dim};
  }

  std::size_t width() const { return dim_; }
  std::size_t rows(const Batch& batch) const { return batch.tokens(); }

  void forward(const Batch& batch, Workspace& workspace, float* answer, ThreadPool* pool) const {
    const Rows hidden = model_.forward(batch, workspace, pool);
    for (std::size_t token = 0; token < batch.tokens(); ++token)
      std::copy_n(hidden.data() + token * padded(dim_), dim_, answer + token * dim_);
  }

private:
  LastHiddenState(DistilBertModel model, std::size_t dim) : model_(std::move(model)), dim_(dim) {}

  DistilBertModel model_;
  std::size_t dim_;
};

using Encoder = detail::Task<LastHiddenState>;

/// body(text, its hidden states, their number) for each text, from several threads at once.
template <class Body> void run(const Encoder& encoder, const std::vector<std::string_view>& texts, const Body& body) {
  encoder.run(
      texts.size(), [&](std::size_t i) { return encoder.guess(texts[i]); },
      [&](std::size_t i, Batch& batch) { encoder.append(texts[i], batch); }, body);
}
template <class Body>
void run(const Encoder& encoder, const std::vector<std::vector<std::int32_t>>& ids, const Body& body) {
  encoder.run(
      ids.size(), [&](std::size_t i) { return ids[i].size(); },
      [&](std::size_t i, Batch& batch) { batch.add(ids[i].data(), ids[i].size()); }, body);
}

py::object hidden_states(const Loaded<Encoder>& self, const py::object& texts, bool progress) {
  const std::size_t dim = self.model.config().dim;
  py::list all;
  Items items(texts);
  Progress bar(progress, texts);
  for_each_chunk_of_any(
      items, self.threads, bar,
      [&](const auto& chunk) {
        std::vector<std::vector<float>> hidden(chunk.size());
        run(self.model, chunk.values(), [&](std::size_t first, const Batch& batch, const float* answer) {
          for (std::size_t i = 0; i < batch.texts(); ++i)
            hidden[first + i].assign(answer + batch.offsets[i] * dim, answer + batch.offsets[i + 1] * dim);
        });
        return hidden;
      },
      [&](std::vector<std::vector<float>>&& hidden) {
        for (std::vector<float>& text : hidden) {
          const auto tokens = static_cast<py::ssize_t>(text.size() / dim);
          all.append(to_array(std::move(text), {tokens, static_cast<py::ssize_t>(dim)}));
        }
      });
  return py::isinstance<py::str>(texts) ? py::object(all[0]) : py::object(all);
}

py::array_t<float> cls(const Loaded<Encoder>& self, const py::object& texts, bool progress) {
  const std::size_t dim = self.model.config().dim;
  std::vector<float> all;
  Items items(texts);
  Progress bar(progress, texts);
  for_each_chunk_of_any(
      items, self.threads, bar,
      [&](const auto& chunk) {
        std::vector<float> rows(chunk.size() * dim);
        run(self.model, chunk.values(), [&](std::size_t first, const Batch& batch, const float* answer) {
          for (std::size_t i = 0; i < batch.texts(); ++i)
            std::copy_n(answer + batch.offsets[i] * dim, dim, rows.data() + (first + i) * dim);
        });
        return rows;
      },
      [&](std::vector<float>&& rows) { all.insert(all.end(), rows.begin(), rows.end()); });
  const auto rows = static_cast<py::ssize_t>(all.size() / dim);
  return to_array(std::move(all), {rows, static_cast<py::ssize_t>(dim)});
}

} // namespace

void bind_distilbert_model(py::module_& module) {
  py::class_<Loaded<Encoder>> type(module, "DistilBertModel");
  define_loading(type);
  type.def("__call__", &hidden_states, py::arg("texts"), py::kw_only(), py::arg("progress") = false);
  type.def("cls", &cls, py::arg("texts"), py::kw_only(), py::arg("progress") = false);
  type.def_property_readonly("dim", [](const Loaded<Encoder>& self) { return self.model.config().dim; });
}

} // namespace bindings
