"""Networks as graphs of ONNX, built in memory and run by ONNX Runtime: both ends without torch."""
