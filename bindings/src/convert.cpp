// convert() and Conversion: distilbert-convert from Python.

#include "bind.hpp"
#include "gil.hpp"
#include "options.hpp"
#include "records.hpp"
#include "texts.hpp"

#include "../../weights_converter/convert.hpp"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <pybind11/stl/filesystem.h>

namespace bindings {

namespace {

using namespace distilbert;

/// What convert() says of its work; see _core.pyi.
struct Report {
  std::string precision;
  std::uint64_t source_bytes, bytes;
  double seconds, largest_change;
};

/// Python around a conversion, which runs without the GIL: tqdm's bars, Ctrl-C, hashlib.
class PythonEnvironment : public convert::Environment {
public:
  explicit PythonEnvironment(bool show) : show_(show), hash_(import_module("hashlib").attr("sha256")()) {}

  void progress(std::string_view phase, std::size_t done, std::size_t total) override {
    with_gil([&] {
      check_signals();
      if (!show_)
        return;
      if (phase != phase_) {
        bar_.emplace(py::dict(py::arg("desc") = phase, py::arg("total") = total, py::arg("unit") = "B",
                              py::arg("unit_scale") = true));
        phase_ = phase;
        done_ = 0;
      }
      bar_->update(done - std::exchange(done_, done));
    });
  }

  void hash(std::string_view part) override {
    with_gil([&] {
      call_python(hash_.attr("update"),
                  py::make_tuple(py::memoryview::from_memory(part.data(), static_cast<py::ssize_t>(part.size()))));
    });
  }
  std::string sha256() override {
    return with_gil([&] { return call_python(hash_.attr("hexdigest"), py::tuple()).cast<std::string>(); });
  }

private:
  bool show_;
  py::object hash_;
  std::string phase_;
  std::optional<Progress> bar_;
  std::size_t done_ = 0;
};

convert::Rounding rounding_of(const std::string& word) {
  using convert::Rounding;
  return option_of<Rounding>("rounding", word, {{"calibrated", Rounding::calibrated}, {"nearest", Rounding::nearest}});
}

double largest_change(const convert::Conversion& conversion) {
  const auto& exact = convert::answer(conversion.exact_answer);
  const auto& found = convert::answer(conversion.answer);
  double largest = 0;
  for (std::size_t i = 0; i < exact.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(found[i]) - static_cast<double>(exact[i])));
  return largest;
}

Report convert_model(const std::filesystem::path& source, const std::filesystem::path& target,
                     const std::string& precision, int sum_bits, const std::string& rounding, bool force,
                     bool progress) {
  check_directory("source", source);
  check_directory("target", target);
  convert::Options options;
  options.in = source;
  options.out = target;
  options.precision = precision_of(precision);
  options.sum_bits = sum_bits;
  options.rounding = rounding_of(rounding);
  options.force = force;
  PythonEnvironment environment(progress);
  const auto start = std::chrono::steady_clock::now();
  try {
    const convert::Conversion conversion = without_gil([&] { return convert::convert(options, environment); });
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    return {precision, conversion.source.bytes, conversion.converted.bytes, time.count(), largest_change(conversion)};
  } catch (const convert::ModelExists& e) {
    PyErr_SetString(PyExc_FileExistsError, (std::string(e.what()) + "; force=True replaces it").c_str());
  } catch (const std::system_error& e) {
    PyErr_SetObject(PyExc_OSError, py::make_tuple(e.code().value(), e.what()).ptr());
  }
  throw py::error_already_set();
}

} // namespace

void bind_convert(py::module_& module) {
  define_record(module, "Conversion", {"precision", "source_bytes", "bytes", "seconds", "largest_change"},
                &Report::precision, &Report::source_bytes, &Report::bytes, &Report::seconds, &Report::largest_change);
  module.def("convert", &convert_model, py::arg("source"), py::arg("target"), py::arg("precision") = "int8",
             py::kw_only(), py::arg("sum_bits") = 32, py::arg("rounding") = "calibrated", py::arg("force") = false,
             py::arg("progress") = false);
}

} // namespace bindings
