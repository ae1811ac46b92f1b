package ort

// DriverVariable is the environment variable that names the file to open instead of the system's libcuda.so.1.
const DriverVariable = "IMGVEC_CUDA_DRIVER"
