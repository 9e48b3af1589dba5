#pragma once
// Errors: one code for each thing that can go wrong, one exception that carries the code and a whole sentence.

#include <exception>
#include <stdexcept>
#include <string>

namespace distilbert {

/// What went wrong, precisely enough to branch on and to test. describe() holds the sentence for each.
enum class ErrorCode {
  // files
  file_not_found,
  file_not_regular,
  file_not_readable,
  file_too_large,
  out_of_memory,
  // safetensors (the reference implementation's names, where it has one)
  header_too_small,
  header_too_large,
  invalid_header_length,
  invalid_header_utf8,
  invalid_header_json,
  duplicate_tensor,
  invalid_offset,
  tensor_size_mismatch,
  size_overflow,
  misaligned_tensor,
  incomplete_buffer,
  // model
  invalid_config,
  unsupported_architecture,
  missing_tensor,
  wrong_shape,
  unsupported_dtype,
  non_finite_weight,
  invalid_packed_model,
  probe_mismatch,
  // tokenizer
  invalid_vocabulary,
  invalid_tokenizer_file,
  invalid_utf8,
  invalid_truncation,
  text_too_long,
  invalid_token_id,
  // use
  invalid_argument,
  unsupported_isa,
  non_finite_result,
};

/// The sentence that belongs to a code; never null. Safe from any thread.
inline const char* describe(ErrorCode code) noexcept {
  switch (code) {
  case ErrorCode::file_not_found: return "the file does not exist";
  case ErrorCode::file_not_regular: return "the path does not name a regular file";
  case ErrorCode::file_not_readable: return "the file cannot be read";
  case ErrorCode::file_too_large: return "the file is larger than this kind of file may be";
  case ErrorCode::out_of_memory: return "the memory for it cannot be had";
  case ErrorCode::header_too_small: return "the file is too small for a safetensors header";
  case ErrorCode::header_too_large: return "the safetensors header is larger than 100,000,000 bytes";
  case ErrorCode::invalid_header_length: return "the safetensors header reaches past the end of the file";
  case ErrorCode::invalid_header_utf8: return "the safetensors header is not valid UTF-8";
  case ErrorCode::invalid_header_json: return "the safetensors header is not the JSON that the format asks for";
  case ErrorCode::duplicate_tensor: return "the safetensors header names a tensor twice";
  case ErrorCode::invalid_offset: return "the tensors do not lie end to end in the file";
  case ErrorCode::tensor_size_mismatch: return "a tensor's bytes do not match its type and shape";
  case ErrorCode::size_overflow: return "a tensor's size does not fit 64 bits";
  case ErrorCode::misaligned_tensor: return "a tensor of sub-byte elements does not fill whole bytes";
  case ErrorCode::incomplete_buffer: return "the tensors do not end where the file ends";
  case ErrorCode::invalid_config: return "config.json is not a valid model configuration";
  case ErrorCode::unsupported_architecture: return "the model is of a kind that this library does not run";
  case ErrorCode::missing_tensor: return "the model lacks a tensor";
  case ErrorCode::wrong_shape: return "a tensor has another shape than config.json promises";
  case ErrorCode::unsupported_dtype: return "a tensor has a type that this library does not compute with";
  case ErrorCode::non_finite_weight: return "a weight is not a finite number";
  case ErrorCode::invalid_packed_model: return "the converted model cannot be read by this version of the library";
  case ErrorCode::probe_mismatch: return "the model does not reproduce the answer stored with it";
  case ErrorCode::invalid_vocabulary: return "the vocabulary cannot be used";
  case ErrorCode::invalid_tokenizer_file: return "the tokenizer's file is not valid";
  case ErrorCode::invalid_utf8: return "the text is not valid UTF-8";
  case ErrorCode::invalid_truncation: return "the truncation asked for is impossible";
  case ErrorCode::text_too_long: return "the text has more tokens than the model can take";
  case ErrorCode::invalid_token_id: return "a token id lies outside the vocabulary";
  case ErrorCode::invalid_argument: return "an argument is outside its range";
  case ErrorCode::unsupported_isa: return "this CPU or this build does not offer the instruction set asked for";
  case ErrorCode::non_finite_result: return "the model's answer is not a finite number";
  }
  return "unknown error";
}

/// The one exception of the library. what() is "<sentence of the code>: <detail>"; the detail names the file,
/// tensor, text or option and says what was expected and what was found.
class Error : public std::runtime_error {
public:
  Error(ErrorCode code, const std::string& detail)
      : std::runtime_error(detail.empty() ? describe(code) : describe(code) + (": " + detail)), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

private:
  ErrorCode code_;
};

/// Rethrows e as an Error whose detail is led by `where` (a path, usually), so that the innermost reader need not
/// know which file it reads.
[[noreturn]] inline void rethrow_within(const std::string& where, const Error& e) {
  const std::string sentence = describe(e.code());
  std::string detail = e.what();
  detail.erase(0, detail.size() > sentence.size() ? sentence.size() + 2 : sentence.size());
  throw Error(e.code(), detail.empty() ? where : where + ": " + detail);
}

} // namespace distilbert
