#!/bin/sh
# Compiles LoopbackServer.java: compile.sh [FOLDER OF DYNAMODB LOCAL]
# The classes are kept in the repository, because running it needs no compiler. Java 17 is the oldest
# that DynamoDB Local runs on.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dynamodb=$(cd "${1:-.build/dynamodb-local}" && pwd)
cd "$here"
rm -f ./*.class
javac --release 17 -g:none -cp "$dynamodb/DynamoDBLocal.jar:$dynamodb/DynamoDBLocal_lib/*" LoopbackServer.java
set -- LoopbackServer.java LoopbackServer*.class
{ sha256sum "$@" 2>/dev/null || shasum -a 256 "$@"; } > LoopbackServer.sha256
