#include "cli/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace unmar::cli_test {
namespace {

void redirect(const std::filesystem::path& path, int to) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || dup2(file, to) < 0) _exit(126);
}

}  // namespace

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Process::Process(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
                 const std::function<void()>& in_child)
    : out_(folder / ".stdout"), err_(folder / ".stderr") {
  // What an earlier process said must not be taken for this one's.
  std::filesystem::remove(out_);
  std::filesystem::remove(err_);

  std::vector<char*> argv;
  std::string program = UNMAR_BINARY;
  argv.push_back(program.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);

  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    if (chdir(folder.c_str()) != 0) _exit(126);
    redirect(out_, STDOUT_FILENO);
    redirect(err_, STDERR_FILENO);
    if (in_child) in_child();
    execv(program.c_str(), argv.data());
    _exit(127);
  }
}

Process::~Process() {
  if (ended()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status_, 0);
}

bool Process::ended() {
  if (!reaped_) reaped_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return reaped_;
}

void Process::send(int signal) { kill(pid_, signal); }

bool Process::wait_for(const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    const bool over = ended();
    if (contents(err_).find(text) != std::string::npos) return true;
    if (over) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

Outcome Process::wait() {
  if (!reaped_) waitpid(pid_, &status_, 0);
  reaped_ = true;
  Outcome outcome;
  if (WIFEXITED(status_)) outcome.code = WEXITSTATUS(status_);
  outcome.out = contents(out_);
  outcome.err = contents(err_);
  return outcome;
}

}  // namespace unmar::cli_test
