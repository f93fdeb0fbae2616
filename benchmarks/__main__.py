"""Run the benchmarks that need no data: ``python -m benchmarks``."""

from benchmarks import eager_calls, speed

if __name__ == "__main__":
    eager_calls.main()
    speed.main()
