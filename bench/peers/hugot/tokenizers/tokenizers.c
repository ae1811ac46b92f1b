// Stands in for libtokenizers.a, a Rust library that hugot's ONNX Runtime build links with and needs for text only. Its
// functions are here by name, so that the build needs no Rust; an image never reaches one, and if it does, the program ends.
#include <stdlib.h>

#define STUB(name) void name(void) { abort(); }
STUB(tokenizers_decode)
STUB(tokenizers_encode)
STUB(tokenizers_free_buffer)
STUB(tokenizers_free_string)
STUB(tokenizers_free_tokenizer)
STUB(tokenizers_from_bytes)
STUB(tokenizers_from_bytes_with_truncation)
STUB(tokenizers_from_file)
STUB(tokenizers_from_tiktoken)
STUB(tokenizers_vocab_size)
// Called when the program starts: it only says that the versions match.
void tokenizers_version_1_26_0(void) {}
