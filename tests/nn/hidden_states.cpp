// hidden_states DIRECTORY: runs the encoder of a model directory. Each line of standard input is a text as token ids,
// each line of output a JSON object with the hidden state of its first token and the mean over all tokens.

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include <distilbert/nn/distilbert_model.hpp>

namespace {

void print_numbers(const char* key, const Eigen::RowVectorXf& numbers) {
  std::printf("\"%s\": [", key);
  for (Eigen::Index i = 0; i < numbers.size(); ++i)
    std::printf(i ? ", %.9g" : "%.9g", static_cast<double>(numbers[i]));
  std::printf("]");
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: hidden_states DIRECTORY\n", stderr);
    return 2;
  }
  try {
    const auto config = distilbert::DistilBertConfig::from_pretrained(argv[1]);
    const auto model = distilbert::DistilBertModel::from_pretrained(argv[1]);
    const auto dim = static_cast<Eigen::Index>(config.dim);
    distilbert::Batch batch;
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream ids(line);
      for (std::int32_t id; ids >> id;)
        batch.ids.push_back(id);
      batch.end_text();
    }
    distilbert::Workspace workspace(config);
    const distilbert::Rows hidden = model.forward(batch, workspace);
    for (std::size_t i = 0; i < batch.texts(); ++i) {
      const auto first = static_cast<Eigen::Index>(batch.offsets[i]),
                 count = static_cast<Eigen::Index>(batch.length(i));
      std::printf("{");
      print_numbers("cls", hidden.row(first).head(dim));
      std::printf(", ");
      print_numbers("mean", hidden.block(first, 0, count, dim).colwise().mean());
      std::printf("}\n");
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "hidden_states: %s\n", e.what());
    return 1;
  }
}
