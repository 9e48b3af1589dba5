#pragma once
// Python's lock, given up while the library computes, and what becomes of threads that want it back too late.

#include <cxxabi.h>
#include <unistd.h>

#include <pybind11/pybind11.h>

namespace bindings {

namespace py = pybind11;

/// action(), which takes the GIL, or gives it up for a while as Python code does.
///
/// A daemon thread may want it after the interpreter's end. Up to version 3.13, Python then calls pthread_exit(), and
/// glibc unwinds the stack: destructors would use Python, or end the process. Here the thread waits for that end
/// instead, as 3.14 lets it do. Elsewhere (musl, macOS) nothing is unwound.
template <class Action> auto taking_gil(const Action& action) {
#ifdef __GLIBCXX__
  try {
    return action();
  } catch (const abi::__forced_unwind&) {
    for (;;)
      pause();
  }
#else
  return action();
#endif
}

/// Other Python threads run for as long as this lives; the thread that makes it must hold the GIL.
class GilRelease {
public:
  GilRelease() : state_(PyEval_SaveThread()) {}
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;
  ~GilRelease() {
    taking_gil([this] { PyEval_RestoreThread(state_); });
  }

private:
  PyThreadState* state_;
};

/// action(), while other Python threads run.
template <class Action> auto without_gil(const Action& action) {
  const GilRelease release;
  return action();
}

/// action() with the GIL, for what without_gil() runs.
template <class Action> auto with_gil(const Action& action) {
  return taking_gil([&] {
    const py::gil_scoped_acquire gil;
    return taking_gil(action);
  });
}

} // namespace bindings
