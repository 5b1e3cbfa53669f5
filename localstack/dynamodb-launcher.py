"""dynamodb-launcher.py DIRECTORY: writes DIRECTORY/DynamoDBLocal.jar, which starts what lies in DIRECTORY/DynamoDBLocal_lib.

LocalStack runs `java -jar DynamoDBLocal.jar`. Maven gives libraries; this jar holds nothing but a manifest that names them.
"""

import sys
import zipfile
from pathlib import Path

MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"
LINE_BYTES_MAX = 72  # of a manifest line, its line break included; a space continues the line before


def folded(line: str) -> str:
    width = LINE_BYTES_MAX - 2
    first, rest = line[:width], line[width:]
    parts = [first] + [" " + rest[at : at + width - 1] for at in range(0, len(rest), width - 1)]
    return "\r\n".join(parts) + "\r\n"


def main() -> None:
    directory = Path(sys.argv[1])
    libraries = sorted(path.name for path in (directory / "DynamoDBLocal_lib").glob("*.jar"))
    class_path = " ".join(["."] + [f"DynamoDBLocal_lib/{name}" for name in libraries])
    manifest = "".join(folded(line) for line in ["Manifest-Version: 1.0", f"Main-Class: {MAIN_CLASS}", f"Class-Path: {class_path}"])
    with zipfile.ZipFile(directory / "DynamoDBLocal.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", manifest)


main()
