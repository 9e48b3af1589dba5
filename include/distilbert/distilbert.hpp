#pragma once
// distilbert.cpp: DistilBERT on the CPU, in one include. The smallest whole program:
//
//   #include <cstdio>
//   #include <distilbert/distilbert.hpp>
//
//   int main() {
//     const auto classifier = distilbert::TextClassifier::from_pretrained("models/sst2");
//     const auto answer = classifier.classify("a joy from first to last");
//     std::printf("%s %.3f\n", answer.label.c_str(), answer.score);
//   }
//
// The headers in the order in which a text passes through them; whoever reads them in this order reads it all.

#include "version.hpp"        // the version of the library
#include "error.hpp"          // Error, ErrorCode: everything that can go wrong
#include "quote.hpp"          // how names from files appear in messages
#include "load_options.hpp"   // LoadOptions: precision, memory, threads, truncation
#include "bf16.hpp"           // bfloat16 by its bits
#include "aligned_buffer.hpp" // AlignedBuffer: memory for weights and activations
#include "shared_bytes.hpp"   // SharedBytes: bytes and who keeps them
#include "mapped_file.hpp"    // MappedFile: a file's bytes
#include "config.hpp"         // DistilBertConfig: config.json

// 1. text -> tokens
#include "text/utf8.hpp"             // strict UTF-8
#include "text/unicode_tables.hpp"   // what BERT does with each code point, probed from the reference
#include "text/unicode.hpp"          // questions to those tables
#include "text/offsets.hpp"          // Span: where in the text a token comes from
#include "text/normalizer.hpp"       // Normalizer: clean, space out CJK, strip accents, lower case
#include "text/pre_tokenizer.hpp"    // WordSplitter: words and punctuation
#include "text/byte_trie.hpp"        // ByteTrie: the longest known string at a place
#include "text/token_table.hpp"      // TokenTable: token -> id in flat arrays
#include "text/word_piece.hpp"       // a word -> its pieces
#include "text/vocabulary.hpp"       // Vocabulary: token <-> id
#include "text/added_tokens.hpp"     // AddedTokens: [CLS], [SEP] and the like in raw text
#include "text/truncation.hpp"       // how texts are made to fit
#include "text/encoding.hpp"         // Encoding: what comes out
#include "text/decoder.hpp"          // tokens -> text
#include "text/tokenizer_config.hpp" // TokenizerConfig: all that is not the vocabulary
#include "text/special_tokens.hpp"   // special tokens as files spell them
#include "text/json_fields.hpp"      // fields of expected types
#include "text/vocab_txt.hpp"        // a tokenizer from vocab.txt
#include "text/tokenizer_json.hpp"   // a tokenizer from tokenizer.json
#include "text/tokenizer_files.hpp"  // which of the files count
#include "text/ascii_words.hpp"      // words of plain ASCII, 64 bytes at a time
#include "text/collectors.hpp"       // what the tokenizer gathers: everything, or ids alone and fast
#include "text/tokenizer.hpp"        // Tokenizer: exactly BertTokenizerFast

// 2. file -> tensors
#include "weights/tensor_view.hpp"   // TensorView, Dtype
#include "weights/safetensors.hpp"   // SafeTensors: a checked file of named tensors
#include "weights/widen.hpp"         // fp16, bf16 -> fp32
#include "weights/checkpoint.hpp"    // Checkpoint: DistilBERT's and BERT's names and shapes
#include "weights/packed_layout.hpp" // the packed layout
#include "weights/pack.hpp"          // fp32 -> packed fp32, bf16, int8
#include "weights/packed_layers.hpp" // which packed tensors a model has
#include "weights/packed_checks.hpp" // whether their numbers can be right
#include "weights/probe.hpp"         // Probe: the answer that a converted model carries
#include "weights/packed_model.hpp"  // PackedModel: packed tensors, mapped or made

// 3. tensors -> hidden states
#include "nn/batch.hpp"                   // Batch: ragged, never padded
#include "nn/workspace.hpp"               // Workspace: every activation, named
#include "nn/linear.hpp"                  // Linear
#include "nn/layer_norm.hpp"              // LayerNorm
#include "nn/embeddings.hpp"              // Embeddings
#include "nn/attention.hpp"               // MultiHeadSelfAttention
#include "nn/feed_forward.hpp"            // FFN
#include "nn/transformer_block.hpp"       // TransformerBlock
#include "nn/calibration.hpp"             // what enters the linear layers
#include "nn/input_scales.hpp"            // SmoothedRounding: int8 for what enters
#include "nn/distilbert_model.hpp"        // DistilBertModel
#include "nn/attention_probabilities.hpp" // what attends to what, for those who look inside

// 4. hidden states -> answer
#include "tasks/sequence_classification.hpp" // DistilBertForSequenceClassification
#include "tasks/token_classification.hpp"    // DistilBertForTokenClassification
#include "tasks/question_answering.hpp"      // DistilBertForQuestionAnswering
#include "tasks/task.hpp"                    // what the whole paths share
#include "tasks/text_classifier.hpp"         // TextClassifier: the whole path
#include "tasks/sentence_transformers.hpp"   // Pooling, and the files of sentence-transformers
#include "tasks/sentence_embedder.hpp"       // SentenceEmbedder: a text's vector
#include "tasks/entities.hpp"                // from the scores of tokens to entities
#include "tasks/token_classifier.hpp"        // TokenClassifier: named entities and the like
#include "tasks/question_answerer.hpp"       // QuestionAnswerer: answers from a text
#include "tasks/zero_shot_classifier.hpp"    // ZeroShotClassifier: labels of the user's own
#include "tasks/masked_lm.hpp"               // DistilBertForMaskedLM, and MaskedLM: words for masks
#include "tasks/multiple_choice.hpp"         // DistilBertForMultipleChoice, and MultipleChoice
#include "tasks/feature_extractor.hpp"       // FeatureExtractor: hidden states and attention

// 5. the arithmetic
#include "kernels/contract.hpp"         // Kernels: what each operation computes
#include "kernels/polynomials.hpp"      // the coefficients of exp, erf and the like
#include "kernels/packed_attention.hpp" // attention whose products are those of linear layers
#include "kernels/tiling.hpp"           // how a product is cut into register tiles
#include "kernels/avx2.hpp"             // the levels: what differs between them here, what they share in kernels/lanes/
#include "kernels/avx512.hpp"
#include "kernels/avx512_vnni.hpp"
#include "kernels/neon.hpp"
#include "kernels/neon_dotprod.hpp"
#include "kernels/lane_math.hpp" // exp, erf and the like on sixteen lanes of Eigen's
#include "kernels/portable.hpp"  // every kernel in plain Eigen
#include "kernels/level.hpp"     // Level: a set of kernels, and when it can run
#include "kernels/levels.hpp"    // all of them
#include "kernels/dispatch.hpp"  // isa(), set_isa(): which kernels run

// threads
#include "threads/cpu_count.hpp"   // usable_cpus()
#include "threads/per_process.hpp" // PerProcess: what fork() leaves usable
#include "threads/thread_pool.hpp" // ThreadPool
