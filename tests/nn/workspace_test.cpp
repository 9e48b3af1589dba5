#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include <distilbert/nn/distilbert_model.hpp>
#include <distilbert/tasks/sequence_classification.hpp>
#include <doctest/doctest.h>

#include "layer_setup.hpp"

namespace {
std::atomic<std::size_t> allocations{0};
}

// The other forms of operator new end in these two; AlignedBuffer's aligned_alloc shows in bytes(). noinline, for GCC
// warns of a free() that it sees without its malloc().
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size ? size : 1);
}
void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow))
    return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape shape{.dim = 40, .hidden_dim = 96, .n_heads = 5, .labels = 3};

Batch batch_of(const std::vector<std::size_t>& lengths) {
  Batch batch;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::vector<std::int32_t> ids = random_ids(shape, i, lengths[i]);
    batch.add(ids.data(), ids.size());
  }
  return batch;
}

} // namespace

TEST_CASE("buffers are aligned, as large as they say, and apart from each other") {
  LayerSetup setup(shape, Precision::fp32);
  Workspace& workspace = setup.workspace;
  const std::size_t tokens = 37, longest = 21;
  workspace.begin(tokens, 3, longest);
  const std::size_t heads = Blocks{5, 8}.packed();
  struct Buffer {
    void* data;
    std::size_t bytes;
  };
  const auto buffer = [](const Rows& rows) {
    return Buffer{const_cast<float*>(rows.data()), static_cast<std::size_t>(rows.size()) * sizeof(float)};
  };
  const Buffer buffers[] = {buffer(workspace.hidden(tokens)),
                            buffer(workspace.qkv(tokens)),
                            buffer(workspace.context(tokens)),
                            buffer(workspace.projected(tokens)),
                            buffer(workspace.intermediate(tokens)),
                            buffer(workspace.of_heads(3)),
                            {workspace.attention_scores(0), attention_scratch(longest, 48) * sizeof(float)},
                            {workspace.quantization(), tokens * sizeof(Quantization)},
                            {workspace.encoded<std::uint16_t>(), tokens * 96 * sizeof(std::uint16_t)}};
  CHECK(buffers[0].bytes == tokens * 48 * sizeof(float));
  CHECK(buffers[1].bytes == tokens * 3 * heads * sizeof(float));
  CHECK(buffers[4].bytes == tokens * 96 * sizeof(float));
  unsigned char value = 0;
  for (const Buffer& b : buffers) {
    CHECK(reinterpret_cast<std::uintptr_t>(b.data) % packed_alignment == 0);
    std::fill_n(static_cast<unsigned char*>(b.data), b.bytes, ++value); // out of bounds: AddressSanitizer tells
  }
  value = 0;
  for (const Buffer& b : buffers) {
    const auto* first = static_cast<const unsigned char*>(b.data);
    ++value;
    CHECK(std::all_of(first, first + b.bytes, [&](unsigned char byte) { return byte == value; }));
  }
}

TEST_CASE("each thread has scratch of its own") {
  LayerSetup setup(shape, Precision::fp32);
  ThreadPool pool(3);
  setup.workspace.begin(10, 2, 6, &pool);
  const std::size_t scratch = attention_scratch(6, 48);
  CHECK(setup.workspace.attention_scores(1) == setup.workspace.attention_scores(0) + scratch);
  CHECK(setup.workspace.attention_scores(2) == setup.workspace.attention_scores(1) + scratch);
  CHECK(reinterpret_cast<float*>(setup.workspace.quantization()) == setup.workspace.attention_scores(2) + scratch);
  CHECK(setup.workspace.bytes() == setup.workspace.bytes_for({10, 2, 6, 3}));
}

TEST_CASE("memory grows to the largest batch so far and is what bytes_for says") {
  LayerSetup setup(shape, Precision::fp32);
  Workspace& workspace = setup.workspace;
  CHECK(workspace.bytes() == 0);
  workspace.begin(10, 3, 4);
  CHECK(workspace.bytes() == workspace.bytes_for({10, 3, 4}));
  workspace.begin(5, 1, 5);
  CHECK(workspace.bytes() == workspace.bytes_for({10, 3, 5}));
  const float* data = workspace.hidden(1).data();
  workspace.begin(1, 1, 1);
  CHECK(workspace.bytes() == workspace.bytes_for({10, 3, 5}));
  CHECK(workspace.hidden(1).data() == data);
}

TEST_CASE("a warm forward pass allocates nothing") {
  for (const Precision precision : all_precisions) {
    LayerSetup setup(shape, precision);
    const auto encoder = DistilBertModel::load(setup.weights, setup.config);
    const auto classifier = DistilBertForSequenceClassification::load(setup.weights, setup.config);
    const Batch large = batch_of({64, 3, 1}), small = batch_of({20, 8});
    float logits[9];
    encoder.forward(large, setup.workspace);
    classifier.forward(large, setup.workspace, logits);
    const std::size_t bytes = setup.workspace.bytes();
    const std::size_t before = allocations;
    encoder.forward(small, setup.workspace);
    encoder.forward(large, setup.workspace);
    const std::size_t after_encoder = allocations;
    classifier.forward(small, setup.workspace, logits);
    classifier.forward(large, setup.workspace, logits);
    const std::size_t after_classifier = allocations;
    CHECK(after_encoder == before);
    CHECK(after_classifier == after_encoder);
    CHECK(setup.workspace.bytes() == bytes);
  }
}

TEST_CASE("a pool hands out workspaces of one's own and takes them back") {
  LayerSetup setup(shape, Precision::fp32);
  WorkspacePool pool(setup.config);
  const Workspace* first = nullptr;
  {
    const auto a = pool.borrow(), b = pool.borrow();
    first = &*a;
    CHECK(&*a != &*b);
    (*a).begin(8, 1, 8);
  }
  const auto c = pool.borrow(), d = pool.borrow(), e = pool.borrow();
  CHECK((&*c == first || &*d == first));
  CHECK(&*c != &*d);
  CHECK(&*e != first);

  std::vector<std::thread> threads;
  std::atomic<std::size_t> shared{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 200; ++round) {
        const auto mine = pool.borrow();
        (*mine).begin(2, 1, 1);
        float* data = (*mine).hidden(2).data();
        std::fill_n(data, 96, static_cast<float>(i));
        for (int k = 0; k < 96; ++k)
          shared += data[k] != static_cast<float>(i);
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(shared == 0);
}
