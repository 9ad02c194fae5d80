#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

/// The NVIDIA driver, libcuda.so.1, opened when it is first asked for. Neither CUDA's headers nor
/// its libraries are needed to build or to run.
namespace unmar::cuda {

using Result = int;
using Device = int;
using Address = unsigned long long;
using Context = struct ContextHandle*;
using Module = struct ModuleHandle*;
using Function = struct FunctionHandle*;
using Stream = struct StreamHandle*;
using Event = struct EventHandle*;
using CapturedGraph = struct GraphHandle*;
using GraphExec = struct GraphExecHandle*;

/// The functions of the driver that are used: member, symbol, arguments.
#define UNMAR_CUDA_DRIVER(CALL)                                                                 \
  CALL(init, cuInit, (unsigned))                                                                \
  CALL(driver_version, cuDriverGetVersion, (int*))                                              \
  CALL(error_name, cuGetErrorName, (Result, const char**))                                      \
  CALL(device_count, cuDeviceGetCount, (int*))                                                  \
  CALL(device_get, cuDeviceGet, (Device*, int))                                                 \
  CALL(device_name, cuDeviceGetName, (char*, int, Device))                                      \
  CALL(device_memory, cuDeviceTotalMem_v2, (std::size_t*, Device))                              \
  CALL(device_attribute, cuDeviceGetAttribute, (int*, int, Device))                             \
  CALL(context_retain, cuDevicePrimaryCtxRetain, (Context*, Device))                            \
  CALL(context_release, cuDevicePrimaryCtxRelease_v2, (Device))                                 \
  CALL(context_current, cuCtxSetCurrent, (Context))                                             \
  CALL(memory_info, cuMemGetInfo_v2, (std::size_t*, std::size_t*))                              \
  CALL(allocate, cuMemAlloc_v2, (Address*, std::size_t))                                        \
  CALL(release, cuMemFree_v2, (Address))                                                        \
  CALL(allocate_host, cuMemHostAlloc, (void**, std::size_t, unsigned))                          \
  CALL(release_host, cuMemFreeHost, (void*))                                                    \
  CALL(upload, cuMemcpyHtoDAsync_v2, (Address, const void*, std::size_t, Stream))               \
  CALL(download, cuMemcpyDtoHAsync_v2, (void*, Address, std::size_t, Stream))                   \
  CALL(copy, cuMemcpyDtoDAsync_v2, (Address, Address, std::size_t, Stream))                     \
  CALL(set_words, cuMemsetD32Async, (Address, unsigned, std::size_t, Stream))                   \
  CALL(stream_create, cuStreamCreate, (Stream*, unsigned))                                      \
  CALL(stream_destroy, cuStreamDestroy_v2, (Stream))                                            \
  CALL(stream_wait, cuStreamSynchronize, (Stream))                                              \
  CALL(stream_wait_event, cuStreamWaitEvent, (Stream, Event, unsigned))                         \
  CALL(event_create, cuEventCreate, (Event*, unsigned))                                         \
  CALL(event_destroy, cuEventDestroy_v2, (Event))                                               \
  CALL(event_record, cuEventRecord, (Event, Stream))                                            \
  CALL(event_elapsed, cuEventElapsedTime, (float*, Event, Event))                               \
  CALL(begin_capture, cuStreamBeginCapture_v2, (Stream, int))                                   \
  CALL(end_capture, cuStreamEndCapture, (Stream, CapturedGraph*))                               \
  CALL(graph_destroy, cuGraphDestroy, (CapturedGraph))                                          \
  CALL(graph_instantiate, cuGraphInstantiate_v2,                                                \
       (GraphExec*, CapturedGraph, void*, char*, std::size_t))                                  \
  CALL(graph_launch, cuGraphLaunch, (GraphExec, Stream))                                        \
  CALL(graph_exec_destroy, cuGraphExecDestroy, (GraphExec))                                     \
  CALL(module_load, cuModuleLoadDataEx, (Module*, const void*, unsigned, int*, void**))         \
  CALL(module_unload, cuModuleUnload, (Module))                                                 \
  CALL(module_function, cuModuleGetFunction, (Function*, Module, const char*))                  \
  CALL(function_attribute, cuFuncSetAttribute, (Function, int, int))                            \
  CALL(launch, cuLaunchKernel,                                                                  \
       (Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream, \
        void**, void**))

/// The functions, by what they do. They return 0 or an error.
struct Driver {
#define UNMAR_CUDA_MEMBER(member, symbol, arguments) Result(*member) arguments = nullptr;
  UNMAR_CUDA_DRIVER(UNMAR_CUDA_MEMBER)
#undef UNMAR_CUDA_MEMBER
  int version = 0;  ///< 12020 is CUDA 12.2
};

/// One card that the engine can run on.
struct Card {
  Device device = 0;
  std::string name;         ///< "cuda:0"
  std::string description;  ///< "NVIDIA H100 80GB, compute capability 9.0, 79.1 GiB"
  std::size_t memory = 0;
};

/// What there is on this machine; found once.
struct Machine {
  const Driver* driver = nullptr;
  std::vector<Card> cards;
  std::string problem;  ///< why there is no card, as a line; empty if there is one
};
const Machine& machine();

/// throws Error if `result` is no success; `what` was asked for, on `card`.
void check(Result result, const char* what, const Card& card);

}  // namespace unmar::cuda
