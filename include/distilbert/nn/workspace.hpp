#pragma once
// Every activation of one forward pass: named, with its shape, in one block of memory that is reused from call to call.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "../aligned_buffer.hpp"
#include "../config.hpp"
#include "../eigen.hpp"
#include "../kernels/dispatch.hpp"
#include "../threads/per_process.hpp"
#include "../threads/thread_pool.hpp"

namespace distilbert {

/// Scratch memory of one call at a time; not for use from two threads at once. T = tokens of the batch.
class Workspace {
public:
  explicit Workspace(const DistilBertConfig& config)
      : dim_(padded(config.dim)), heads_(Blocks{config.n_heads, config.head_dim()}.packed()),
        hidden_dim_(padded(config.hidden_dim)), labels_(padded(config.num_labels())), n_heads_(config.n_heads) {}

  /// Makes room for a batch of that many tokens in that many texts, the longest of which has `longest`, and takes the
  /// kernels in use for int8 weights of those sum_bits, and the pool if there is one, for the call that begins.
  /// Allocates only when a larger batch, or a pool of more threads, than ever before comes; what the buffers held is
  /// then lost. Throws ErrorCode::out_of_memory.
  void begin(std::size_t tokens, std::size_t texts, std::size_t longest, ThreadPool* pool = nullptr,
             int sum_bits = 32) {
    kernels_ = &active_kernels(sum_bits);
    pool_ = pool;
    const std::size_t threads = pool ? pool->threads() : 1;
    const Sizes sizes{std::max(tokens, sizes_.tokens), std::max(texts, sizes_.texts), std::max(longest, sizes_.longest),
                      std::max(threads, sizes_.threads)};
    if (tokens > sizes_.tokens || texts > sizes_.texts || longest > sizes_.longest || threads > sizes_.threads) {
      memory_ = {};
      sizes_ = {};
      memory_ = AlignedBuffer(bytes_for(sizes));
      sizes_ = sizes;
    }
  }

  /// The kernels that this call runs on from begin() to its end.
  const Kernels& kernels() const { return *kernels_; }

  /// Shares [0, count) out among the threads of the call in runs of whole `grain`s, and waits for all:
  /// body(part, first, last), each part a number below that of the threads.
  template <class Body> void share(std::size_t count, std::size_t grain, const Body& body) {
    const std::size_t grains = (count + grain - 1) / grain;
    const std::size_t parts = pool_ ? std::min(pool_->threads(), grains) : 1;
    if (parts <= 1)
      return body(std::size_t{0}, std::size_t{0}, count);
    pool_->parallel_for(parts, [&](std::size_t part) {
      body(part, part * grains / parts * grain, std::min(count, (part + 1) * grains / parts * grain));
    });
  }

  Rows hidden(std::size_t rows) { return at(0, rows, dim_); }                    // [T, dim] residual stream
  Rows qkv(std::size_t rows) { return at(dim_, rows, 3 * heads_); }              // [T, 3 n_heads head_dim]
  Rows context(std::size_t rows) { return at(dim_ + 3 * heads_, rows, heads_); } // [T, n_heads head_dim]
  Rows projected(std::size_t rows) { return at(dim_ + 4 * heads_, rows, dim_); } // [T, dim] before the residual
  Rows intermediate(std::size_t rows) { return at(2 * dim_ + 4 * heads_, rows, hidden_dim_); }     // [T, hidden_dim]
  Rows logits(std::size_t rows) { return at(2 * dim_ + 4 * heads_ + hidden_dim_, rows, labels_); } // [texts, labels]
  /// What the heads of each text's first token ask of the hidden states, and what they get: [n_heads texts, dim], head
  /// after head
  Rows of_heads(std::size_t texts) {
    return {floats(row_floats() * sizes_.tokens), static_cast<Eigen::Index>(n_heads_ * texts),
            static_cast<Eigen::Index>(dim_)};
  }
  /// Scratch of the attention kernel for one part of what is shared: attention_scratch(longest, dim)
  float* attention_scores(std::size_t part) {
    return of_heads(0).data() + n_heads_ * dim_ * sizes_.texts + part * attention_scratch(sizes_.longest, dim_);
  }
  Quantization* quantization() { return reinterpret_cast<Quantization*>(attention_scores(sizes_.threads)); } // [T]
  /// The activations that enter a product, as int8 or bf16: [T, widest layer]
  template <class X> X* encoded() { return reinterpret_cast<X*>(quantization() + padded(sizes_.tokens)); }

  /// The largest batch so far, in each of its sizes, and the threads it was shared by.
  struct Sizes {
    std::size_t tokens = 0, texts = 0, longest = 0, threads = 1;
  };

  /// Bytes of memory held, and the bytes that a batch of that size takes.
  std::size_t bytes() const { return memory_.size(); }
  std::size_t bytes_for(const Sizes& sizes) const {
    const std::size_t widest = std::max({dim_, heads_, hidden_dim_});
    return sizes.tokens * row_floats() * sizeof(float) + sizes.texts * n_heads_ * dim_ * sizeof(float) +
           sizes.threads * attention_scratch(sizes.longest, dim_) * sizeof(float) +
           padded(sizes.tokens) * sizeof(Quantization) + sizes.tokens * widest * sizeof(std::uint16_t);
  }

private:
  std::size_t row_floats() const { return 2 * dim_ + 4 * heads_ + hidden_dim_ + labels_; }
  float* floats(std::size_t first) { return reinterpret_cast<float*>(memory_.data()) + first; }
  Rows at(std::size_t columns_before, std::size_t rows, std::size_t columns) {
    return {floats(columns_before * sizes_.tokens), static_cast<Eigen::Index>(rows),
            static_cast<Eigen::Index>(columns)};
  }

  std::size_t dim_, heads_, hidden_dim_, labels_; // packed sizes
  std::size_t n_heads_;
  Sizes sizes_;
  AlignedBuffer memory_;
  const Kernels* kernels_ = nullptr;
  ThreadPool* pool_ = nullptr;
};

/// Workspaces that are not in use. Thread-safe. A forked child begins with none: those of the parent, in use or not,
/// are lost memory there.
class WorkspacePool {
  struct Idle {
    std::mutex mutex;
    std::vector<std::unique_ptr<Workspace>> workspaces;
    std::size_t made = 0;
  };

public:
  explicit WorkspacePool(const DistilBertConfig& config) : config_(config) {}

  /// A workspace of the caller's own until `Borrowed` ends.
  class Borrowed {
  public:
    Borrowed(Idle& idle, std::unique_ptr<Workspace> workspace) : idle_(idle), workspace_(std::move(workspace)) {}
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    ~Borrowed() {
      const std::lock_guard<std::mutex> lock(idle_.mutex);
      idle_.workspaces.push_back(std::move(workspace_));
    }
    Workspace& operator*() const { return *workspace_; }

  private:
    Idle& idle_;
    std::unique_ptr<Workspace> workspace_;
  };

  Borrowed borrow() {
    Idle& idle = idle_.get();
    const std::lock_guard<std::mutex> lock(idle.mutex);
    if (idle.workspaces.empty()) {
      idle.workspaces.reserve(++idle.made); // so that giving back cannot fail
      return {idle, std::make_unique<Workspace>(config_)};
    }
    std::unique_ptr<Workspace> workspace = std::move(idle.workspaces.back());
    idle.workspaces.pop_back();
    return {idle, std::move(workspace)};
  }

  /// Bytes held by the workspaces that are not in use.
  std::size_t bytes() {
    Idle& idle = idle_.get();
    const std::lock_guard<std::mutex> lock(idle.mutex);
    std::size_t sum = 0;
    for (const auto& workspace : idle.workspaces)
      sum += workspace->bytes();
    return sum;
  }

private:
  DistilBertConfig config_;
  PerProcess<Idle> idle_;
};

} // namespace distilbert
