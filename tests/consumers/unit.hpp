#pragma once
// The same function in each translation unit: the scores of all labels of all texts, end to end.

#include <string_view>
#include <vector>

namespace first_unit {
std::vector<float> scores(const char* model, const std::vector<std::string_view>& texts);
}
namespace second_unit {
std::vector<float> scores(const char* model, const std::vector<std::string_view>& texts);
}
