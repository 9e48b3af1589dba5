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
/// instead, as 3.14 lets it do. Elsewhere (musl, macOS) nothing is unwound. No object of Python's may live in action()
/// itself while it may lose the GIL: of those the destructors do run.
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

/// function(*arguments, **keywords), for functions that run Python code or give up the GIL.
inline py::object call_python(const py::object& function, const py::tuple& arguments, const py::dict& keywords = {}) {
  PyObject* const result = taking_gil([&] { return PyObject_Call(function.ptr(), arguments.ptr(), keywords.ptr()); });
  if (!result)
    throw py::error_already_set();
  return py::reinterpret_steal<py::object>(result);
}

/// A module, which runs its code when it is the first to import it.
inline py::module_ import_module(const char* name) {
  return taking_gil([&] { return py::module_::import(name); });
}

/// Raises what Ctrl-C, or another signal's handler, raises; on other threads than the main one, nothing.
inline void check_signals() {
  if (taking_gil([] { return PyErr_CheckSignals(); }) != 0)
    throw py::error_already_set();
}

/// What this thread gave up the GIL with; null while it has it. Not py::gil_scoped_acquire's: that asks the interpreter
/// for it, and crashes when the thread comes after the interpreter's end.
inline thread_local PyThreadState* saved_state = nullptr;

inline void give_up_gil() { saved_state = PyEval_SaveThread(); }
inline void take_gil() {
  taking_gil([] { PyEval_RestoreThread(saved_state); });
  saved_state = nullptr;
}

/// Other Python threads run for as long as this lives; the thread that makes it must hold the GIL.
class GilRelease {
public:
  GilRelease() { give_up_gil(); }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;
  ~GilRelease() { take_gil(); }
};

/// action(), while other Python threads run.
template <class Action> auto without_gil(const Action& action) {
  const GilRelease release;
  return action();
}

/// action() with the GIL, for what without_gil() runs, on the same thread.
template <class Action> auto with_gil(const Action& action) {
  struct Hold {
    Hold() {
      if (given_up)
        take_gil();
    }
    ~Hold() {
      if (given_up)
        give_up_gil();
    }
    const bool given_up = saved_state != nullptr;
  };
  const Hold hold;
  return taking_gil(action);
}

} // namespace bindings
