#include "calls.hpp"

#include <distilbert/error.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <utility>

namespace service {

namespace {

using Kind = Problem::Kind;

/// "application/json", also with parameters or as a suffix: "application/x+json; charset=utf-8".
bool is_json(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t'))
    type.remove_suffix(1);
  std::string lower(type);
  for (char& c : lower)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto ends = [&](std::string_view end) {
    return lower.size() > end.size() && lower.compare(lower.size() - end.size(), end.size(), end) == 0;
  };
  return lower == "application/json" || (lower.compare(0, 12, "application/") == 0 && ends("+json"));
}

void check_admission(const Request& request, bool any_type) {
  const std::string_view type = request.field("content-type"), coding = request.field("content-encoding");
  if (!any_type && !type.empty() && !is_json(type))
    throw Problem(Kind::media_type, "Unsupported Media Type: the body must be application/json");
  if (!coding.empty() && coding != "identity")
    throw Problem(Kind::media_type, "Unsupported Media Type: the body must not be compressed");
}

Problem problem_of(const distilbert::Error& error) {
  switch (error.code()) {
  case distilbert::ErrorCode::non_finite_result: return {Kind::model, std::string("inference_error: ") + error.what()};
  case distilbert::ErrorCode::invalid_utf8:
  case distilbert::ErrorCode::invalid_truncation:
  case distilbert::ErrorCode::text_too_long:
  case distilbert::ErrorCode::invalid_token_id:
  case distilbert::ErrorCode::invalid_argument: return {Kind::invalid, error.what()};
  default: return {Kind::internal, error.what()};
  }
}

Problem problem_of(const Failure& failure) {
  switch (failure.kind) {
  case Failure::Kind::overloaded: return {Kind::overloaded, "Model is overloaded"};
  case Failure::Kind::draining: return {Kind::draining, failure.message};
  case Failure::Kind::timeout: return {Kind::timeout, failure.message};
  case Failure::Kind::gone: return {Kind::gone, failure.message};
  case Failure::Kind::invalid: return {Kind::invalid, failure.message};
  case Failure::Kind::model: return {Kind::model, "inference_error: " + failure.message};
  case Failure::Kind::internal: break;
  }
  return {Kind::internal, failure.message};
}

/// What `work` throws, in one form; none if it throws nothing.
template <class Work> std::unique_ptr<Problem> problem_in(const Work& work) {
  try {
    work();
    return nullptr;
  } catch (const Problem& problem) {
    return std::make_unique<Problem>(problem);
  } catch (const distilbert::Error& error) {
    return std::make_unique<Problem>(problem_of(error));
  } catch (const std::bad_alloc&) {
    auto problem = std::make_unique<Problem>(Kind::overloaded, "out of memory");
    problem->fault = problem->message;
    return problem;
  } catch (const std::exception& e) {
    auto problem = std::make_unique<Problem>(Kind::internal, "Internal Server Error");
    problem->fault = e.what();
    return problem;
  }
}

Response refusal(ErrorStyle style, const Problem& problem) {
  Response response = style(problem);
  response.fault = problem.fault;
  if (response.status == 429 || response.status == 503)
    response.fields.push_back({"Retry-After", "1"});
  return response;
}

std::string milliseconds(std::chrono::nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

/// A place among the calls that are under way, for as long as it lives.
class Place {
public:
  explicit Place(Context& context)
      : calls_(context.calls_in_flight), admitted_(++calls_ <= context.max_concurrent_requests) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { leave(); }

  /// Throws Problem if there are too many.
  void check() const {
    if (!admitted_)
      throw Problem(Kind::overloaded, "Model is overloaded");
  }
  /// Gives it to others, once.
  void leave() {
    if (!std::exchange(left_, true))
      --calls_;
  }

private:
  std::atomic<std::size_t>& calls_;
  bool admitted_, left_ = false;
};

/// A call from its admission to its response.
class Run {
public:
  Run(Context& context, const char* kind, ErrorStyle style, std::shared_ptr<const Request> request, Respond respond)
      : context_(context), kind_(kind), request_(std::move(request)), respond_(std::move(respond)),
        call_(context, *request_, style), place_(context) {}

  static void start(const std::shared_ptr<Run>& run, const Reader& reader, bool any_type) {
    const auto problem = problem_in([&] { run->read(reader, any_type); });
    if (problem)
      return run->refuse(*problem);
    if (run->texts_ == 0)
      return run->finish({});
    Ask ask;
    ask.texts = run->call_.take_texts();
    ask.output = run->call_.output;
    ask.caller = run->request_->caller;
    ask.deadline = run->request_->received + run->context_.request_timeout;
    run->context_.inference.ask(std::move(ask), [run](const Answer& answer) { run->finish(answer); });
  }

private:
  void read(const Reader& reader, bool any_type) {
    place_.check();
    check_admission(*request_, any_type);
    const auto start = Clock::now();
    writer_ = reader(call_);
    tokenization_ = Clock::now() - start;
    texts_ = call_.texts().size();
  }

  void finish(const Answer& answer) {
    Response response;
    const auto problem = problem_in([&] {
      if (answer.failure)
        throw problem_of(*answer.failure);
      response = writer_(answer);
    });
    if (problem)
      return refuse(*problem, answer);
    const auto whole = Clock::now() - request_->received;
    auto& fields = response.fields;
    fields.push_back({"x-compute-type", "cpu"});
    fields.push_back({"x-compute-time", milliseconds(whole)});
    fields.push_back({"x-compute-characters", std::to_string(call_.characters())});
    fields.push_back({"x-compute-tokens", std::to_string(call_.tokens())});
    fields.push_back({"x-total-time", milliseconds(whole)});
    fields.push_back({"x-tokenization-time", milliseconds(tokenization_)});
    fields.push_back({"x-queue-time", milliseconds(answer.queued)});
    fields.push_back({"x-inference-time", milliseconds(answer.computed)});
    if (call_.truncated() > 0)
      fields.push_back({"x-truncated-texts", std::to_string(call_.truncated())});
    end(std::move(response), "", answer);
  }

  void refuse(const Problem& problem, const Answer& answer = {}) {
    end(refusal(call_.style, problem), metric_word(problem.kind), answer);
  }

  /// The place is free before the client can know of the answer.
  void end(Response response, const char* failure, const Answer& answer) {
    place_.leave();
    context_.metrics.call(kind_, texts_, call_.tokens(), failure, Clock::now() - request_->received, tokenization_,
                          answer.queued, answer.computed);
    respond_(std::move(response));
  }

  Context& context_;
  const char* kind_;
  std::shared_ptr<const Request> request_;
  Respond respond_;
  Call call_;
  Place place_;
  Writer writer_;
  std::size_t texts_ = 0;
  std::chrono::nanoseconds tokenization_{0};
};

} // namespace

void Call::add(std::string_view text, const Fit& fit, std::string_view name) {
  const auto& tokenizer = context.engine().tokenizer();
  distilbert::EncodeOptions how = options(fit);
  distilbert::Encoding encoding;
  if (fit.truncate && fit.side == distilbert::Side::right) {
    encoding.truncated = tokenizer.append_ids(text, how.max_length, encoding.ids).truncated;
    encoding.type_ids.resize(encoding.ids.size());
  } else {
    encoding = tokenizer.encode(text, how);
    check(encoding, fit, name);
  }
  add(std::move(encoding), code_points_of(text));
}

void Call::add(std::string_view first, std::string_view second, const Fit& fit, std::string_view name) {
  distilbert::Encoding encoding = context.engine().tokenizer().encode(first, second, options(fit));
  check(encoding, fit, name);
  add(std::move(encoding), code_points_of(first) + code_points_of(second));
}

void Call::add(std::vector<std::int32_t> ids, const Fit& fit, std::string_view name) {
  distilbert::Encoding encoding;
  encoding.ids = std::move(ids);
  const std::size_t most = options(fit).max_length;
  if (fit.truncate && encoding.ids.size() > most) {
    encoding.truncated = true;
    if (fit.side == distilbert::Side::left)
      encoding.ids.erase(encoding.ids.begin(), encoding.ids.end() - static_cast<std::ptrdiff_t>(most));
    else
      encoding.ids.resize(most);
  }
  check(encoding, fit, name);
  const std::size_t rows = context.engine().config().vocab_size;
  for (const std::int32_t id : encoding.ids)
    if (id < 0 || static_cast<std::size_t>(id) >= rows)
      throw Problem(Kind::invalid, '`' + std::string(name) + "` must hold token ids in [0, " + std::to_string(rows) +
                                       "). Given: " + std::to_string(id));
  if (encoding.ids.empty())
    throw Problem(Kind::invalid, '`' + std::string(name) + "` must not hold a text without token ids");
  encoding.type_ids.resize(encoding.ids.size());
  add(std::move(encoding), 0);
}

void Call::add(distilbert::Encoding encoding, std::size_t characters) {
  tokens_ += encoding.size();
  characters_ += characters;
  truncated_ += encoding.truncated;
  texts_.push_back(std::move(encoding));
}

distilbert::EncodeOptions Call::options(const Fit& fit) const {
  distilbert::EncodeOptions options;
  const std::size_t most = context.engine().max_length();
  options.max_length = fit.max_length == 0 ? most : std::min(fit.max_length, most);
  options.truncation_side = fit.side;
  if (!fit.truncate)
    options.max_length = 0;
  return options;
}

void Call::check(const distilbert::Encoding& encoding, const Fit& fit, std::string_view name) const {
  const std::size_t most = context.engine().max_length();
  const std::size_t limit = fit.max_length == 0 ? most : std::min(fit.max_length, most);
  if (encoding.size() > limit)
    throw Problem(Kind::invalid, '`' + std::string(name) + "` must have less than " + std::to_string(limit) +
                                     " tokens. Given: " + std::to_string(encoding.size()));
}

Handler model_route(Context& context, const char* kind, ErrorStyle style, Reader reader, bool any_type) {
  return [&context, kind, style, reader = std::move(reader), any_type](std::shared_ptr<const Request> request,
                                                                       Respond respond) {
    Run::start(std::make_shared<Run>(context, kind, style, std::move(request), std::move(respond)), reader, any_type);
  };
}

Handler plain_route(ErrorStyle style, std::function<Response(const Request&)> answer) {
  return [style, answer = std::move(answer)](const std::shared_ptr<const Request>& request, const Respond& respond) {
    Response response;
    const auto problem = problem_in([&] {
      check_admission(*request, request->body.empty());
      response = answer(*request);
    });
    respond(problem ? refusal(style, *problem) : std::move(response));
  };
}

Handler counted_route(Context& context, ErrorStyle style, std::function<Response(const Request&)> answer) {
  return [&context, route = plain_route(style, std::move(answer)), style](std::shared_ptr<const Request> request,
                                                                          const Respond& respond) {
    Place place(context);
    if (const auto problem = problem_in([&] { place.check(); }))
      return respond(refusal(style, *problem));
    route(std::move(request), [&](Response response) {
      place.leave();
      respond(std::move(response));
    });
  };
}

std::size_t code_points_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void check_batch_size(std::size_t texts, std::size_t most) {
  if (texts > most)
    throw Problem(Kind::batch_size,
                  "batch size " + std::to_string(texts) + " > maximum allowed batch size " + std::to_string(most));
}

} // namespace service
