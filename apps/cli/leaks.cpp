// Fontconfig keeps its tables until the program ends, by design. This is read by the leak sanitizer
// of the asan preset; other builds leave the file out.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; }
