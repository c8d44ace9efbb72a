"""Loading: which files run, under which names, what they find, and what is said about those that cannot be used."""

from __future__ import annotations

import os
import unittest
from pathlib import Path
from typing import Any

from motia._worker import frames

from .support.engine import API, Engine, step

CONFIG = f"config = {{{API}}}\n"


def answers(expression: str, before: str = "") -> str:
    return step(f"(req, ctx):\n    return {{'status': 200, 'body': {expression}}}", API, before)


class Files(unittest.TestCase):
    def run_steps(self, files: dict[str, str], *sources: str, root: str = "shop") -> list[Any]:
        with Engine(files, root=root) as engine:
            loaded = engine.load(*sources)
            for source in sources:
                self.assertNotIn("refused", loaded[source], loaded[source])
            results = [engine.json(source) for source in sources]
            for result in results:
                self.assertNotIn("error", result)
            return [result["body"] for result in results]

    def test_any_name_works(self) -> None:
        files = {
            "steps/my-folder.v2/a-b.c_step.py": answers("[__name__.startswith('motia_root.'), __file__]"),
            "steps/data-processor.step.py": answers("__file__"),
            "steps/größe_step.py": answers("__file__"),
        }
        with Engine(files, root="my-shop.v1") as engine:
            engine.load_all(*files)
            first, second, third = (engine.call(source, {"content": "none"}) for source in files)
            self.assertIn(f'[true,"{engine.root}/steps/my-folder.v2/a-b.c_step.py"]', first.body.decode())
            self.assertEqual(second.body.decode(), f"{engine.root}/steps/data-processor.step.py")
            self.assertEqual(third.body.decode(), f"{engine.root}/steps/größe_step.py")

    def test_relative_imports_reach_up_to_the_root(self) -> None:
        files = {
            "services/__init__.py": "",
            "services/db.py": "items = []\n",
            "steps/a_step.py": answers(
                "[db is services.db, same is db]",
                "from ..services import db\nimport services.db\nfrom services import db as same",
            ),
            "steps/py/deep/b_step.py": answers(
                "[x.X, y.Y, sibling.S, db is services.db]",
                "from . import sibling\nfrom .. import x\nfrom ..other import y\nfrom ....services import db\nimport services.db",
            ),
            "steps/py/deep/sibling.py": "from .helper import S\n",
            "steps/py/deep/helper.py": "from ....services import db\nfrom ..x import X\nS = ['s', db.items, X]\n",
            "steps/py/x.py": "X = 'x'\n",
            "steps/py/other/y.py": "from ...py import x\nY = x.X + 'y'\n",
            "src/users/c_step.py": answers(
                "[repositories is src.repositories, repositories.users.R, models.M]",
                "from ..repositories import users\nfrom .. import repositories\nfrom . import models\nimport src.repositories",
            ),
            "src/repositories/__init__.py": "",
            "src/repositories/users.py": "R = 'r'\n",
            "src/users/models.py": "M = 'm'\n",
        }
        results = self.run_steps(files, "steps/a_step.py", "steps/py/deep/b_step.py", "src/users/c_step.py")
        self.assertEqual(results, [[True, True], ["x", "xy", ["s", [], "x"], True], [True, "r", "m"]])

    def test_relative_imports_work_in_folders_of_any_name(self) -> None:
        uses = "from . import sibling\nfrom .sibling import S\nfrom .inner.deep import D\nfrom ...services import db\nimport services.db"
        files = {"services/db.py": "items = []\n"}
        sources = []
        for folder in ("v1.2", "v1_2", "my folder", "a-b", "x.y z", "größe", "with.init"):
            source = f"steps/{folder}/{folder}_step.py"
            sources.append(source)
            files[source] = answers("[S, sibling.S, D, db is services.db, __name__.count('.')]", uses)
            files[f"steps/{folder}/sibling.py"] = f"from .inner import deep\nS = '{folder}' + deep.D\n"
            files[f"steps/{folder}/inner/deep.py"] = "from .... import services\nfrom ..inner import deep\nD = '!'\n"
        files["steps/with.init/__init__.py"] = "import sys\nsys.init_ran = __name__\n"
        files["steps/last.step.py"] = answers("[sys.init_ran]", "import sys")
        results = self.run_steps(files, *sources, "steps/last.step.py")
        for source, result in zip(sources, results):
            said = Path(source).parent.name + "!"
            self.assertEqual(result, [said, said, "!", True, 3])
        self.assertEqual(results[-1], ["motia_root.steps.with\u2024init"])

    def test_one_module_however_it_is_imported_first(self) -> None:
        counts = "import sys\ncount = sys.counts = getattr(sys, 'counts', 0) + 1\n"
        files = {
            "services/db.py": counts,
            "steps/a_step.py": answers("[db.count, one.count]", "import services.db as one\nfrom ..services import db"),
            "steps/b_step.py": answers(
                "[db.count, one.count]",
                "from ..services.db import count\nfrom services import db\nfrom ..services import db as one",
            ),
        }
        self.assertEqual(self.run_steps(files, "steps/a_step.py", "steps/b_step.py"), [[1, 1], [1, 1]])

    def test_steps_import_each_other(self) -> None:
        counts = "import sys\ncount = sys.counts = getattr(sys, 'counts', 0) + 1\n"
        files = {
            "steps/__init__.py": "import sys\nsys.init_ran = True\n",
            "steps/a_step.py": counts + answers("count"),
            "steps/b_step.py": answers(
                "[one.count, two.count, steps.a_step.count]",
                "import steps.a_step\nfrom . import a_step as one\nfrom steps import a_step as two",
            ),
            "steps/c_step.py": answers("d_step.count", "from . import d_step"),
            "steps/d_step.py": "from .. import count_holder\ncount = count_holder.seen = count_holder.seen + 1\n"
            + answers("count"),
            "count_holder.py": "seen = 0\n",
        }
        results = self.run_steps(files, "steps/a_step.py", "steps/b_step.py", "steps/c_step.py", "steps/d_step.py")
        self.assertEqual(results, [1, [1, 1, 1], 1, 1])

    def test_the_project_does_not_shadow_the_standard_library_nor_the_sdk(self) -> None:
        files = {
            "types.py": "mine = True\n",
            "queue.py": "mine = True\n",
            "src/json.py": "mine = True\n",
            "motia.py": "mine = True\n",
            "tests/__init__.py": "mine = True\n",
            "steps/a_step.py": answers(
                "[hasattr(m, 'mine') for m in (types, queue, json, motia, tests, own, own_queue)]",
                "import types, queue, json, motia, tests\nfrom .. import types as own\nfrom .. import queue as own_queue",
            ),
            "steps/b_step.py": answers(
                "own.mine and not hasattr(types, 'mine')",
                "from ..types import mine\nfrom .. import types as own\nimport types",
            ),
        }
        results = self.run_steps(files, "steps/a_step.py", "steps/b_step.py")
        self.assertEqual(results, [[False, False, False, False, True, True, True], True])

    def test_the_root_steps_and_src_are_on_the_path(self) -> None:
        files = {
            "one.py": "N = 1\n",
            "steps/two.py": "N = 2\n",
            "src/three.py": "N = 3\n",
            "steps/python/a_step.py": answers(
                "[one.N, two.N, three.N, pet_store.N, sys.path[0].endswith('sdk/python')]",
                """
                import os, sys
                sys.path.append(os.path.join(os.path.dirname(__file__), '..'))
                import one, two, three
                from services import pet_store
                """,
            ),
            "steps/services/pet_store.py": "N = 4\n",
        }
        self.assertEqual(self.run_steps(files, "steps/python/a_step.py"), [[1, 2, 3, 4, True]])

    def test_pythonpath_comes_first(self) -> None:
        with Engine(
            {
                "helper.py": "N = 'root'\n",
                "lib/helper.py": "N = 'lib'\n",
                "a_step.py": answers("helper.N", "import helper"),
            }
        ) as engine:
            root = engine.root
            engine.close()
            self.assertFalse(os.path.exists(root))
        files = {
            "helper.py": "N = 'root'\n",
            "lib/helper.py": "N = 'lib'\n",
            "a_step.py": answers("helper.N", "import helper"),
        }
        with Engine(files, env={"PYTHONPATH": "lib"}) as engine:
            engine.load_all("a_step.py")
            self.assertEqual(engine.call("a_step.py").body, b"lib")

    def test_init_files_run_only_when_python_needs_them(self) -> None:
        files = {
            "steps/__init__.py": "raise ValueError('ran')\n",
            "steps/a_step.py": answers("1"),
            "steps/b_step.py": answers("1", "from . import helper"),
            "steps/helper.py": "",
        }
        with Engine(files) as engine:
            loaded = engine.load("steps/a_step.py", "steps/b_step.py")
            self.assertTrue(loaded["steps/a_step.py"]["handler"])
            self.assertEqual(loaded["steps/b_step.py"]["refused"]["message"], "ran")

    def test_classes_of_steps_can_be_pickled_and_packages_have_resources(self) -> None:
        files = {
            "steps/a_step.py": answers(
                "[pickle.loads(pickle.dumps(Thing())).n, resources.files('services').joinpath('x.txt').read_text(), "
                "services.text()]",
                "import pickle, services\nfrom importlib import resources\nclass Thing:\n    n = 1",
            ),
            "services/__init__.py": "from importlib import resources\ndef text():\n    return resources.files(__package__).joinpath('x.txt').read_text()\n",
            "services/x.txt": "hello",
        }
        self.assertEqual(self.run_steps(files, "steps/a_step.py"), [[1, "hello", "hello"]])


class Snapshots(unittest.TestCase):
    def test_a_copy_runs_under_the_name_of_its_source(self) -> None:
        old = answers("[__file__, V]", "V = 'old'\n") + "\n\n\ndef unused():\n    pass\n"
        fails = "\n\n" + CONFIG + "def handler(req, ctx):\n    raise ValueError('old line')\n"
        files = {"steps/a_step.py": answers("[__file__, V]", "V = 'new'\n"), "steps/f_step.py": CONFIG}
        with Engine({**files, ".motia/old/steps/a_step.py": old, ".motia/old/steps/f_step.py": fails}) as engine:
            sources = ["steps/a_step.py", "steps/f_step.py"]
            engine.load_all(*sources)
            source = f"{engine.root}/steps/a_step.py"
            self.assertEqual(engine.json(sources[0])["body"], [source, "new"])
            loaded = engine.load(*sources, modules={name: f"{engine.root}/.motia/old/{name}" for name in sources})
            self.assertTrue(loaded[sources[0]]["handler"])
            self.assertEqual(engine.json(sources[0])["body"], [source, "old"])
            stack = engine.json(sources[1])["error"]["stack"]
            self.assertIn(f'File "{engine.root}/steps/f_step.py", line 5, in handler', stack)
            self.assertIn("raise ValueError('old line')", stack)

    def test_compiled_code_is_kept_for_files_on_disk_that_have_settled(self) -> None:
        files = {f"steps/{name}_step.py": answers("helper.N", "from . import helper") for name in "abc"}
        with Engine({**files, "steps/helper.py": "N = 1\n", ".motia/b_step.py": answers("2")}) as engine:
            for name in ("a_step.py", "b_step.py", "helper.py"):
                os.utime(f"{engine.root}/steps/{name}", (1_700_000_000, 1_700_000_000))
            engine.load(*files, modules={"steps/b_step.py": f"{engine.root}/.motia/b_step.py"})
            self.assertEqual(engine.json("steps/b_step.py")["body"], 2)
            kept = [path.name.partition(".")[0] for path in Path(engine.root, "steps/__pycache__").iterdir()]
            self.assertEqual(sorted(kept), ["a_step", "helper"])

    def test_a_file_that_is_saved_twice_in_a_second_is_not_taken_for_the_first_one(self) -> None:
        with Engine({"steps/a_step.py": answers("1")}) as engine:
            for version in (1, 2, 3):
                engine.write({"steps/a_step.py": answers(version)})
                engine.load_all("steps/a_step.py")
                self.assertEqual(engine.json("steps/a_step.py")["body"], version)

    def test_a_later_load_replaces_and_two_loads_do_not_mix(self) -> None:
        with Engine({"a_step.py": answers("1"), "b_step.py": answers("2")}) as engine:
            engine.frame(lambda f: f.kind == frames.HELLO)
            import json

            for source in ("a_step.py", "b_step.py"):
                listed = [{"source": source, "module": f"{engine.root}/{source}", "kind": "step"}]
                engine.send(frames.LOAD, meta={"root": engine.root}, body=json.dumps(listed))
            engine.frame(lambda f: sum(other.kind == frames.READY for other in engine.frames) == 2)
            self.assertEqual([f.kind for f in engine.frames][1:], [0x42, 0x43, 0x45, 0x42, 0x43, 0x45])
            self.assertGreater(engine.frames[-1].meta["memory"], 1_000_000)
            engine.write({"a_step.py": answers("'changed, and longer'")})
            engine.load_all("a_step.py")
            self.assertEqual(engine.call("a_step.py").body, b"changed, and longer")


class Refusals(unittest.TestCase):
    FILES = {
        "raises_step.py": "import deep\n",
        "deep.py": "def fail():\n    raise ValueError('no key') from KeyError('env')\n\nfail()\n",
        "syntax_step.py": "config = {\n    'a': 1,\n",
        "indent_step.py": "x = 1\n  y = 2\n",
        "imports_syntax_step.py": "import broken\n",
        "broken.py": "\n\ndef f(:\n    pass\n",
        "cv_step.py": "import cv2.missing_of_course\n",
        "yaml_step.py": "from not_yaml import x\n",
        "listed_step.py": "import some_package_xyz\n",
        "part_step.py": "import json.nope\n",
        "relative_step.py": "from .nowhere import x\n",
        "name_step.py": "from deep_ok import nope\n",
        "deep_ok.py": "",
        "none_step.py": "conf = {}\n",
        "list_step.py": "\n\nconfig = [1]\n",
        "last_step.py": "config = {}\nconfig = None\nconfig = 'text'\n",
        "a.stream.py": "handler = 1\n",
        "unguarded_step.py": "guard = None\nconfig = {'type': 'api', 'middleware': [guard]}\nasync def handler(req): pass\n",
        "group_step.py": "class Odd(BaseException): pass\nraise Exception('last')\n",
        "good_step.py": CONFIG + "async def handler(req): return {'status': 200}\n",
        "nul_step.py": "config = {}\0\n",
        "exits_step.py": "from services import leaves\n",
        "services/leaves.py": "import argparse\n\nargparse.ArgumentParser().error('no argument')\n",
        "interrupts_step.py": "import services.interrupts\n",
        "services/interrupts.py": "def stop():\n    raise KeyboardInterrupt\n\nstop()\n",
        "helper_step.py": "from services import needs\n",
        "services/needs.py": "\nimport not_yaml\n",
        "lib/python3/site-packages/a_package.py": "import not_there\n",
        "package_step.py": "import sys\nsys.path.append(__file__.replace('package_step.py', 'lib/python3/site-packages'))\nimport a_package\n",
        "requirements.txt": "# ours\nrequests>=2\nSome-Package.XYZ[extra]==1.0\n",
    }

    @classmethod
    def setUpClass(cls) -> None:
        with Engine(cls.FILES) as engine:
            cls.root = engine.root
            cls.loaded = engine.load(*[name for name in cls.FILES if "_step" in name or ".stream." in name])

    def refused(self, source: str) -> dict[str, Any]:
        return self.loaded[source]["refused"]

    def test_the_others_load(self) -> None:
        self.assertTrue(self.loaded["good_step.py"]["handler"])

    def test_what_was_raised_with_the_users_lines(self) -> None:
        error = self.refused("raises_step.py")
        self.assertEqual(
            [error["name"], error["message"], error["cause"]["name"]], ["ValueError", "no key", "KeyError"]
        )
        self.assertIn(f'File "{self.root}/raises_step.py", line 1', error["stack"])
        self.assertIn(f'File "{self.root}/deep.py", line 2, in fail', error["stack"])
        self.assertNotIn("importlib", error["stack"])
        self.assertNotIn("sdk/python/motia", error["stack"])

    def test_syntax_errors_have_file_and_line(self) -> None:
        for source, place in (
            ("syntax_step.py", "syntax_step.py, line"),
            ("indent_step.py", "unexpected indent (indent_step.py, line 2)"),
            ("imports_syntax_step.py", "broken.py, line 3)"),
        ):
            self.assertIn(place, self.refused(source)["message"])
            self.assertIn(self.refused(source)["name"], ("SyntaxError", "IndentationError"))
        self.assertIn("null bytes", self.refused("nul_step.py")["message"])

    def test_missing_packages_are_named_with_what_to_do(self) -> None:
        self.assertEqual(
            self.refused("cv_step.py")["message"],
            "No module named 'cv2' (cv_step.py, line 1). If it is a package, add opencv-python to requirements.txt and run `motia install`; "
            "modules of the project are looked for in its root, in steps and in src",
        )
        self.assertIn("add not_yaml to requirements.txt", self.refused("yaml_step.py")["message"])
        self.assertEqual(
            self.refused("listed_step.py")["message"],
            "No module named 'some_package_xyz' (listed_step.py, line 1). requirements.txt lists some_package_xyz: run `motia install`",
        )
        self.assertEqual(
            self.refused("relative_step.py")["message"],
            "there is no module nowhere in the project (relative_step.py, line 1): a relative import looks for nowhere.py",
        )
        self.assertIn("No module named 'json.nope'", self.refused("part_step.py")["message"])
        self.assertNotIn("requirements", self.refused("part_step.py")["message"])
        self.assertIn("cannot import name 'nope' from 'deep_ok'", self.refused("name_step.py")["message"])

    def test_what_a_helper_imports_or_ends_is_named_with_the_helpers_line(self) -> None:
        for source, message in (
            ("exits_step.py", "sys.exit(2) was called while the file was imported (services/leaves.py, line 3)"),
            (
                "interrupts_step.py",
                "KeyboardInterrupt was raised while the file was imported (services/interrupts.py, line 2)",
            ),
        ):
            self.assertEqual(self.refused(source)["message"], message)
        missing = "No module named 'not_yaml' (services/needs.py, line 2). If it is a package, add not_yaml to"
        self.assertTrue(self.refused("helper_step.py")["message"].startswith(missing))
        missing = "No module named 'not_there' (package_step.py, line 3). If it is a package, add not_there to"
        self.assertTrue(self.refused("package_step.py")["message"].startswith(missing))

    def test_configs(self) -> None:
        self.assertRegex(
            self.refused("none_step.py")["message"], r'^none_step\.py has no config\. Add: config = \{"type": "api"'
        )
        self.assertIn("baseConfig", self.refused("a.stream.py")["message"])
        self.assertEqual(
            self.refused("list_step.py")["message"], "list_step.py: config is a list (line 3), it must be a dict"
        )
        self.assertEqual(
            self.refused("last_step.py")["message"],
            "last_step.py: config is the string 'text' (line 3), it must be a dict",
        )
        self.assertNotIn("stack", self.refused("list_step.py"))
        self.assertIn(
            "config.middleware[0] must be a function, but it is None; is its import right?",
            self.refused("unguarded_step.py")["message"],
        )

    def test_the_engine_knows_which_file_hangs_or_dies(self) -> None:
        import json

        for end in ("while True: pass", "import os; os.kill(os.getpid(), 9)"):
            with Engine({"last_step.py": end}) as engine:
                listed = [{"source": "last_step.py", "module": f"{engine.root}/last_step.py", "kind": "step"}]
                engine.send(frames.LOAD, meta={"root": engine.root}, body=json.dumps(listed))
                self.assertEqual(engine.frame(lambda f: f.kind == frames.IMPORTING).meta["file"], "last_step.py")

    def test_an_import_may_use_the_loop(self) -> None:
        text = "import asyncio\nlock = asyncio.Lock()\ntask = asyncio.get_event_loop().create_task(asyncio.sleep(0, 'done'))\n"
        with Engine({"a_step.py": text + answers("[await task, lock.locked()]")}) as engine:
            engine.load_all("a_step.py")
            self.assertEqual(engine.json("a_step.py")["body"], ["done", False])
