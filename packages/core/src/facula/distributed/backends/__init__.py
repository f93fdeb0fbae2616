"""The engines that carry arrays between processes: MPI and NCCL."""
