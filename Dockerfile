# seqgen with its server: docker build -t seqgen . && docker run -p 8000:8000 -v ./runs:/runs:ro -e SEQGEN_API_KEY=KEY seqgen RUN
FROM python:3.11-slim

# Options of pip that choose a build of torch, such as --index-url ADDRESS for one without CUDA.
ARG TORCH_OPTIONS=""
RUN pip install --no-cache-dir ${TORCH_OPTIONS} "torch>=2.6"

COPY . /src
RUN pip install --no-cache-dir '/src[serve,constrain]' && rm -rf /src \
    && useradd --create-home --uid 1000 seqgen && mkdir /runs && ln -s /runs /home/seqgen/runs

USER seqgen
WORKDIR /home/seqgen
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]

# The key comes from SEQGEN_API_KEY; without one the server does not start.
ENTRYPOINT ["seqgen", "serve", "--host", "0.0.0.0"]
