#include "options.hpp"

#include "gil.hpp"

#include <distilbert/kernels/dispatch.hpp>
#include <distilbert/threads/cpu_count.hpp>

#include <atomic>
#include <chrono>

#include <pybind11/stl.h>

namespace bindings {

namespace {

using namespace distilbert;

/// Threads of models that are loaded without saying how many; 0: thread_count() decides.
std::atomic<std::size_t> default_threads{0};

/// Python's number of the thread that hears signals.
std::atomic<unsigned long> main_thread{0};

void find_main_thread() {
  main_thread = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
}

/// Hears Ctrl-C within a call. While other threads run Python the GIL is long in coming, so it is not asked for often;
/// and by the main thread alone, as another one, that is still here when the interpreter ends, may never get it.
void hear_signals() {
  using Clock = std::chrono::steady_clock;
  static Clock::time_point heard;
  if (PyThread_get_thread_ident() != main_thread || Clock::now() - heard < std::chrono::milliseconds(100))
    return;
  with_gil([] {
    heard = Clock::now();
    check_signals();
  });
}

} // namespace

Count count_of(py::handle number) {
  if (!PyIndex_Check(number.ptr()))
    throw py::type_error(std::string("an int expected, ") + Py_TYPE(number.ptr())->tp_name + " found");
  const auto index = py::reinterpret_steal<py::int_>(PyNumber_Index(number.ptr()));
  if (!index)
    throw py::error_already_set();
  const std::size_t count = PyLong_AsSize_t(index.ptr());
  if (!PyErr_Occurred())
    return {count};
  PyErr_Clear();
  throw Error(ErrorCode::invalid_argument,
              std::string(py::str(index)) + " is not a number from 0 to " + std::to_string(PY_SSIZE_T_MAX));
}

void check_directory(const char* name, const std::filesystem::path& directory) {
  if (directory.empty())
    throw Error(ErrorCode::file_not_found, std::string(name) + " is an empty path");
}

Precision precision_of(const std::string& word) {
  return option_of<Precision>("precision", word,
                              {{"fp32", Precision::fp32}, {"bf16", Precision::bf16}, {"int8", Precision::int8}});
}

InvalidUtf8 invalid_utf8_of(const std::string& word) {
  return option_of<InvalidUtf8>("invalid_utf8", word,
                                {{"refuse", InvalidUtf8::refuse}, {"replace", InvalidUtf8::replace}});
}

LoadOptions load_options(const std::optional<std::string>& precision, std::optional<std::size_t> threads,
                         std::optional<std::size_t> max_length, std::optional<int> sum_bits, const std::string& memory,
                         bool check_finite, bool selfcheck, const std::string& invalid_utf8,
                         bool encode_special_tokens) {
  LoadOptions options;
  if (precision)
    options.precision = precision_of(*precision);
  options.sum_bits = sum_bits;
  options.memory = option_of<Memory>("memory", memory, {{"map", Memory::map}, {"copy", Memory::copy}});
  options.threads = thread_count(threads.value_or(default_threads));
  options.max_length = max_length.value_or(0);
  options.encode_special_tokens = encode_special_tokens;
  options.invalid_utf8 = invalid_utf8_of(invalid_utf8);
  options.check_finite = check_finite;
  options.selfcheck = selfcheck;
  options.between_batches = hear_signals;
  return options;
}

IsaChange::IsaChange(const std::optional<std::string>& isa) {
  if (!isa)
    return;
  std::string before(distilbert::isa());
  set_isa(*isa);
  before_ = std::move(before);
}

IsaChange::~IsaChange() {
  if (before_)
    set_isa(*before_);
}

void bind_settings(py::module_& module) {
  find_main_thread();
  py::module_::import("os").attr("register_at_fork")(py::arg("after_in_child") = py::cpp_function(&find_main_thread));
  module.def("isa", [] { return std::string(isa()); });
  module.def(
      "set_isa", [](const std::string& name) { set_isa(name); }, py::arg("isa"));
  module.def("available_isas", [] {
    const auto isas = available_isas();
    return std::vector<std::string>(isas.begin(), isas.end());
  });
  module.def(
      "set_threads", [](Count threads) { default_threads = thread_count(threads); }, py::arg("threads"));
}

} // namespace bindings
