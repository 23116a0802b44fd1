{{- define "atlas.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}-atlas
{{- end }}

{{- define "atlas.labels" -}}
app.kubernetes.io/name: activation-atlas
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The labels a selector may use: they never change. Takes {root, component}. */}}
{{- define "atlas.selector" -}}
app.kubernetes.io/name: activation-atlas
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "atlas.redisEnvironment" -}}
{{- range $name, $key := dict "ATLAS_REDIS_URL" "brokerUrl" "ATLAS_CACHE_URL" "cacheUrl" }}
- name: {{ $name }}
  {{- if $.Values.redis.existingSecret }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.redis.existingSecret }}, key: {{ $key }}}
  {{- else if $.Values.redis.enabled }}
  value: redis://{{ include "atlas.name" $ }}-{{ trimSuffix "Url" $key }}:6379/0
  {{- else }}
  value: {{ index $.Values.redis $key | required (printf "redis.%s is needed while redis.enabled is false" $key) }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "atlas.environment" -}}
{{ include "atlas.redisEnvironment" . | trim }}
- name: ATLAS_STORE_URL
  value: {{ .Values.store.url }}
{{- range $name, $value := dict "ATLAS_STORE_ENDPOINT" .Values.store.endpoint "ATLAS_STORE_PUBLIC_ENDPOINT" .Values.store.publicEndpoint "ATLAS_STORE_REGION" .Values.store.region }}
{{- with $value }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if hasPrefix "http://" .Values.store.endpoint }}
- name: ATLAS_STORE_ALLOW_HTTP
  value: "true"
{{- end }}
{{- with .Values.store.existingSecret }}
{{- range $name, $key := dict "ATLAS_STORE_ACCESS_KEY_ID" "accessKeyId" "ATLAS_STORE_SECRET_ACCESS_KEY" "secretAccessKey" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.store.existingSecret }}, key: {{ $key }}}
{{- end }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "atlas.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "atlas.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "atlas.volumes" -}}
{{- if hasPrefix "file:" .Values.store.url }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.store.volume.existingClaim | default (printf "%s-data" (include "atlas.name" .)) }}
{{- end }}
- name: tmp
  emptyDir: {}
{{- end }}

{{- define "atlas.volumeMounts" -}}
{{- if hasPrefix "file:" .Values.store.url }}
- {name: data, mountPath: /data}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- end }}
