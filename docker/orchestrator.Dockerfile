# Orchestrator: scenarios, ledger, reports; it also prepares keys, data and codecs. No torch.
# Build arguments: docs/docker.md. Context: the root of the repository.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS dependencies
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /venv
COPY pyproject.toml constraints.txt ./
RUN touch README.md LICENSE \
 && python -m pip --python /venv/bin/python install -c constraints.txt '.[orchestrator]'

FROM ${BASE}
RUN groupadd --gid 10001 semcom && useradd --uid 10001 --gid semcom --no-create-home semcom
COPY --from=dependencies /venv /venv
WORKDIR /srv/semcom
# A new volume takes its owner from the folder that it is laid over.
ARG KEY_HOLDERS="all orchestrator channel receiver cifar10 cifar100 tiny-imagenet"
RUN install -d -o semcom -g semcom data codecs runs /keys && cd /keys && install -d -o semcom -g semcom -m 700 $KEY_HOLDERS
COPY docker/prepare.sh docker/keys.sh /usr/local/bin/
COPY codecs /opt/semcom/codecs
COPY scenarios /opt/semcom/scenarios
COPY semcom /opt/semcom/semcom
COPY orchestrator /opt/semcom/orchestrator
ENV PATH=/venv/bin:$PATH PYTHONPATH=/opt/semcom PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp
RUN python -m compileall -q /opt/semcom
USER 10001:10001
EXPOSE 5550 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-m", "semcom.check", "http://127.0.0.1:9100/readyz"]
ENTRYPOINT ["semcom"]
CMD ["--help"]
