"""What spark-submit runs: the command line of winback, with the arguments that follow."""

from winback_serving.cli import main

if __name__ == "__main__":
    main()
