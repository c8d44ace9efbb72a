"""What the engine starts: `python <this folder>`. See sdk/protocol/README.md."""

if __name__ == "__main__":
    from motia._worker.main import main

    # As of a script: so it runs in processes of multiprocessing too, which skips that of a folder.
    __spec__ = None
    main()
elif __name__ == "__mp_main__":
    from motia._worker.modules import install_in_child

    install_in_child()
